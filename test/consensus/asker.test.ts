/** Whom the asker asks, for what and when: no peer, nothing that is missing and no reason waits for ever. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import type { GetVotes } from '../../src/codec/generated/sync.ts'
import type { Turn } from '../../src/consensus/asked.ts'
import { Asker } from '../../src/consensus/asker.ts'
import { HeightBook } from '../../src/consensus/book.ts'
import { noVotes, votesRequest } from '../../src/consensus/catch-up.ts'
import { Turns } from '../../src/consensus/turns.ts'
import { silentLog } from '../../src/log.ts'
import { runs } from '../support/runs.ts'
import { ManualClock } from './support/manual-clock.ts'
import { HEIGHT, hashOf, validatorSet } from './support/messages.ts'

/** Peers by name: v… are validators. Each has its time to answer, in ms; without one it never does. */
class Room {
  readonly clock = new ManualClock()
  readonly asked: { readonly peer: string; readonly at: number; readonly request: GetVotes }[] = []
  readonly asker: Asker
  /** What each answer brings: whether the tip moved. */
  take: (peer: string) => boolean = () => false
  lack = { round: 5, blocks: [] as string[], polkas: [] as { round: number; hash: string }[] }
  /** Nothing is decided now. */
  over = false

  readonly answersIn: Map<string, number | undefined>

  constructor(answersIn: Map<string, number | undefined>) {
    this.answersIn = answersIn
    const { clock } = this
    const book = new HeightBook(validatorSet(4), () => 0)
    this.asker = new Asker({
      clock,
      log: silentLog,
      request: (turn: Turn) => (this.over ? undefined : votesRequest(book, HEIGHT, this.lack, 4, turn)),
      take: async (peer) => this.take(peer),
      peers: {
        peers: () => [...answersIn.keys()],
        standing: (peer) => ({ validator: peer.startsWith('v') ? Number(peer.slice(1)) : -1, height: 0 }),
        penalise: () => {},
        getVotes: (peer, request, { signal }) => {
          this.asked.push({ peer, at: clock.monotonic(), request })
          return new Promise((resolve, reject) => {
            signal.addEventListener('abort', () => reject(new Error('late')))
            const ms = answersIn.get(peer)
            if (ms === 0) resolve(noVotes())
            else if (ms !== undefined) clock.after(ms, () => resolve(noVotes()))
          })
        }
      }
    })
  }

  static of(peers: Record<string, number | undefined>): Room {
    return new Room(new Map(Object.entries(peers)))
  }

  /** Who was asked since the last call. */
  async in(ms: number): Promise<string[]> {
    const before = this.asked.length
    await this.clock.pass(ms)
    return this.asked.slice(before).map(({ peer, request }) => (request.blockHash.byteLength > 0 ? `${peer}!` : peer))
  }
}

const SLOW = 600
const NEVER = undefined

describe('what is missing', () => {
  it('is asked of every peer, every block and all prevotes, whatever the number of them and however slow they are', async () => {
    const time = fc.constantFrom(0, 0, 40, SLOW, 1500, NEVER)
    const cases = fc.record({
      validators: fc.array(time, { maxLength: 7 }),
      others: fc.array(time, { maxLength: 4 }),
      blocks: fc.integer({ min: 1, max: 4 }),
      polkas: fc.integer({ min: 1, max: 4 }),
      every: fc.integer({ min: 250, max: 2500 })
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ validators, others, blocks, polkas, every }) => {
        const names = (letter: string, times: (number | undefined)[]) =>
          times.map((ms, i) => [`${letter}${i}`, ms] as const)
        const peers = new Map([...names('v', validators), ...names('s', others)])
        const room = new Room(peers)
        room.lack.blocks = Array.from({ length: blocks }, (_, i) => hashOf(`block ${i}`))
        room.lack.polkas = Array.from({ length: polkas }, (_, round) => ({ round, hash: hashOf('polka') }))
        const missing = new Set<string>()
        for (const peer of peers.keys()) {
          for (const hash of room.lack.blocks) missing.add(`${peer} ${hash}`)
          for (const { round } of room.lack.polkas) missing.add(`${peer} ${round}`)
        }
        let looked = 0
        for (let i = 0; i < 2000 && missing.size > 0; i++) {
          room.asker.ask()
          await room.clock.pass(every)
          for (; looked < room.asked.length; looked++) {
            const { peer, request } = room.asked[looked]!
            missing.delete(`${peer} ${toHex(request.blockHash)}`)
            missing.delete(`${peer} ${request.validRound}`)
          }
        }
        expect([...missing]).toEqual([])
      }),
      runs(40)
    )
  })

  it('is asked of each in turn: of no number of peers is one always the first, or the second before all were', () => {
    for (let size = 1; size <= 9; size++) {
      for (let count = 1; count <= 4; count++) {
        const names = Array.from({ length: size }, (_, i) => `p${i}`)
        const turns = new Turns()
        const batches = Array.from({ length: size * 2 }, () => turns.next(names, count))
        if (count >= size) expect(new Set(batches.map(([first]) => first)).size).toBe(size)
        const whole = batches.flat().slice(0, size)
        expect(whole.sort()).toEqual(names)
      }
    }
  })
})

describe('a reason to ask, at which peers are busy,', () => {
  it('is kept until they are not, and no longer', async () => {
    const room = Room.of({ v0: NEVER, v1: NEVER, v2: NEVER })
    room.asker.ask()
    expect(await room.in(100)).toEqual(['v0', 'v1', 'v2'])
    room.asker.ask()
    expect(await room.in(899)).toEqual([])
    expect((await room.in(1)).sort()).toEqual(['v0', 'v1', 'v2'])
    expect(await room.in(20_000)).toEqual([])
    expect(room.clock.waits).toEqual([])
  })

  it('is kept while each has four questions, until one of these ends', async () => {
    const room = Room.of({ v0: NEVER })
    for (let i = 0; i < 4; i++) {
      room.asker.ask()
      await room.clock.pass(1000)
    }
    room.asker.ask()
    expect(await room.in(999)).toEqual([])
    expect(await room.in(1)).toEqual(['v0'])
    expect(await room.in(20_000)).toEqual([])
  })

  it('is not used up by who always has time: two validators are asked, if there are two', async () => {
    const room = Room.of({ v0: SLOW, v1: SLOW, v2: 0, s0: 0, s1: 0 })
    room.asker.ask()
    expect(await room.in(0)).toHaveLength(3)
    room.asker.ask()
    await room.clock.pass(SLOW - 1)
    const early = room.asked.slice(3)
    expect(early.map(({ peer }) => peer)).toContain('v2')
    const later = await room.in(10_000)
    expect(later.filter((peer) => peer === 'v0' || peer === 'v1')).not.toEqual([])
    // Once: then the reason is dealt with.
    expect(await room.in(10_000)).toEqual([])
    const strangers = Room.of({ v0: SLOW, s0: 0 })
    strangers.asker.ask()
    await strangers.clock.pass(0)
    strangers.asker.ask()
    await strangers.clock.pass(10_000)
    expect(strangers.asked.filter(({ peer }) => peer === 'v0').map(({ at }) => at)).toEqual([0, SLOW])
  })

  it('is none any more when nothing is wanted', async () => {
    const room = Room.of({ v0: NEVER })
    room.asker.ask()
    await room.clock.pass(500)
    room.asker.ask()
    room.over = true
    expect(await room.in(20_000)).toEqual([])
    expect(room.clock.waits).toEqual([])
  })

  it('is none any more when the asker was stopped', async () => {
    const room = Room.of({ v0: NEVER })
    room.asker.ask()
    await room.clock.pass(500)
    room.asker.ask()
    room.asker.stop()
    expect(await room.in(20_000)).toEqual([])
  })
})

describe('a block', () => {
  it('for which another question is open is asked for when that has had its time', async () => {
    const room = Room.of({ v0: NEVER, v1: 0, v2: 0, v3: 0 })
    room.lack.blocks = [hashOf('block')]
    room.asker.ask()
    expect(await room.in(500)).toEqual(['v0!', 'v1', 'v2'])
    room.asker.ask()
    expect((await room.in(499)).filter((peer) => peer.endsWith('!'))).toEqual([])
    expect((await room.in(1)).filter((peer) => peer.endsWith('!'))).toEqual(['v1!'])
    expect(await room.in(20_000)).toEqual([])
  })

  it('is asked of a validator, then of others too; and no stranger that is slow keeps it from validators', async () => {
    const room = Room.of({ v0: 0, s0: 0 })
    room.lack.blocks = [hashOf('block')]
    const next = async (): Promise<string[]> => {
      room.asker.ask()
      return (await room.in(250)).filter((peer) => peer.endsWith('!'))
    }
    expect([await next(), await next(), await next()]).toEqual([['v0!'], ['v0!', 's0!'], ['v0!', 's0!']])
    // One after the other comes, is asked at once and does not answer.
    const crowd = Room.of({ v0: 0 })
    crowd.lack.blocks = [hashOf('block')]
    for (let i = 0; i < 20; i++) {
      crowd.answersIn.set(`s${i}`, NEVER)
      crowd.asker.askPeer(`s${i}`)
      await crowd.clock.pass(250)
      crowd.asker.ask()
      await crowd.clock.pass(250)
    }
    const ofValidator = crowd.asked.filter(({ peer, request }) => peer === 'v0' && request.blockHash.byteLength > 0)
    expect(ofValidator.length).toBeGreaterThan(5)
  })
})

it('who brings us on is asked on at once, though another question to it is open', async () => {
  const room = Room.of({ v0: 1200 })
  let tip = 0
  // The second answer to the same question brings nothing.
  room.take = () => room.asked.length < 4 && tip++ === 0
  room.asker.ask()
  await room.clock.pass(1000)
  room.asker.ask()
  await room.clock.pass(199)
  expect(room.asked.map(({ at }) => at)).toEqual([0, 1000])
  await room.clock.pass(1)
  expect(room.asked.map(({ at }) => at)).toEqual([0, 1000, 1200])
})
