import type { Connection } from '@libp2p/interface'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Instances } from '../../src/network/instances.ts'
import { newPeer, type Peer } from '../../src/network/peer.ts'
import { runs } from '../support/runs.ts'

/** What is looked at of a connection. `dead`: it is open, and nobody is at the other end. */
interface Line {
  status: 'open' | 'closed'
  dead: boolean
  readonly instance: string
  abort(): void
}

function line(instance: string): Line {
  const made: Line = {
    status: 'open',
    dead: false,
    instance,
    abort: () => {
      made.status = 'closed'
    }
  }
  return made
}

function setUp() {
  const peer = newPeer('p', undefined, '/ip4/127.0.0.1/tcp/1', 'inbound')
  const clock = { now: 0 }
  const seen = { asked: 0, copies: 0 }
  const instances = new Instances({
    answers: async (connection) => {
      seen.asked += 1
      await Promise.resolve()
      return !(connection as unknown as Line).dead
    },
    onCopy: () => {
      seen.copies += 1
    },
    now: () => clock.now
  })
  const admit = (one: Line) => instances.admit(peer, one as unknown as Connection, one.instance)
  return { peer, clock, seen, admit }
}

const openLines = (peer: Peer): Line[] =>
  [...peer.greeted.keys()].map((one) => one as unknown as Line).filter(({ status }) => status === 'open')

describe('which process is at the other end', () => {
  it('a live connection is kept, a dead one makes room, and many new ones cost few questions', async () => {
    const { peer, clock, seen, admit } = setUp()
    const first = line('a')
    expect(await admit(first)).toBe(true)
    expect(await admit(line('a'))).toBe(true)
    expect(await admit(line(''))).toBe(true)
    expect(seen).toEqual({ asked: 0, copies: 0 })
    for (let i = 0; i < 100; i += 1) expect(await admit(line(`copy ${i}`))).toBe(false)
    expect(seen).toEqual({ asked: 2, copies: 100 })
    for (const one of openLines(peer)) one.dead = true
    clock.now += 60_000
    expect(await admit(line('b'))).toBe(true)
    expect(first.status).toBe('closed')
  })

  it('what is greeted is of one process at any time, and who answers never loses its place', async () => {
    const step = fc.oneof(
      fc.record({ does: fc.constant('comes' as const), instance: fc.constantFrom('a', 'b', 'c'), twice: fc.boolean() }),
      fc.record({ does: fc.constantFrom('dies' as const, 'closes' as const), which: fc.nat(9) })
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 20 }), async (rounds) => {
        const { peer, clock, admit } = setUp()
        const all: Line[] = []
        for (const round of rounds) {
          clock.now += 60_000
          const before = openLines(peer).filter(({ dead }) => !dead)
          const closed = new Set<Line>()
          const under: Promise<boolean>[] = []
          for (const one of round) {
            const which = one.does === 'comes' ? undefined : all[one.which]
            if (one.does === 'comes') {
              const made = line(one.instance)
              all.push(made)
              under.push(...Array.from({ length: one.twice ? 2 : 1 }, () => admit(made)))
            } else if (which !== undefined) {
              closed.add(which)
              if (one.does === 'dies') which.dead = true
              else which.status = 'closed'
            }
          }
          await Promise.all(under)
          expect(new Set(openLines(peer).map(({ instance }) => instance)).size).toBeLessThanOrEqual(1)
          for (const one of before) if (!closed.has(one)) expect(openLines(peer)).toContain(one)
        }
      }),
      runs(200)
    )
  })
})
