/** What a flood can do to others' events in the mempool: nothing, but for its share. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CheckedEvent } from '../../src/chain/event.ts'
import { Mempool, type Source } from '../../src/chain/mempool.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { runs } from '../support/runs.ts'
import { GENESIS_TIME, testChain, testEvent } from './fixture.ts'
import { mempoolLimits, own, unvouched, vouched } from './support/mempool-limits.ts'

const chain = testChain(1)
const made = (who: string, count: number): CheckedEvent[] =>
  Array.from({ length: count }, (_, i) => testEvent(chain, i, {}, `${who} ${i % 7}`))
const HONEST = made('honest', 60)
const FLOOD = made('stranger', 120)
const LIMITS = mempoolLimits({
  maxEvents: 80,
  maxBytes: 80 << 10,
  maxPerCaller: 30,
  unvouchedShare: 0.1,
  unvouchedInBlock: { maxEvents: 2, maxBytes: 4 << 10 }
})
const anything = { maxEvents: 1000, maxBytes: 1 << 20, timestamp: GENESIS_TIME, windowMs: 1e9 }
const ids = (events: Iterable<CheckedEvent>): string[] => [...events].map(({ id }) => toHex(id))

const honest = fc.record({
  event: fc.nat(HONEST.length - 1),
  source: fc.constantFrom<Source>(own('a'), own('b'), vouched('v0'), vouched('v1'))
})
const block = fc.record({ maxEvents: fc.integer({ min: 1, max: 20 }) })
const stranger = fc.record({ event: fc.nat(FLOOD.length - 1), peer: fc.nat(9) })
const step = fc.oneof(
  { weight: 4, arbitrary: honest.map((add) => ({ honest: add })) },
  { weight: 1, arbitrary: block.map((propose) => ({ propose })) },
  { weight: 10, arbitrary: stranger.map((flood) => ({ flood })) }
)

test('whatever strangers send, what the API and validators bring is taken, kept and ordered as without them', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const [quiet, flooded] = [new Mempool(LIMITS), new Mempool(LIMITS)]
      for (const one of steps) {
        if ('flood' in one) {
          flooded.add(FLOOD[one.flood.event] as CheckedEvent, unvouched(`peer ${one.flood.peer}`))
        } else if ('honest' in one) {
          const event = HONEST[one.honest.event] as CheckedEvent
          expect(flooded.hasRoom(one.honest.source)).toBe(quiet.hasRoom(one.honest.source))
          expect(flooded.add(event, one.honest.source)).toBe(quiet.add(event, one.honest.source))
        } else {
          const chosen = flooded.select({ ...anything, ...one.propose })
          const strangers = chosen.filter((event) => FLOOD.includes(event))
          expect(strangers.length).toBeLessThanOrEqual(Math.min(2, Math.ceil(one.propose.maxEvents / 2)))
          for (const mempool of [quiet, flooded]) mempool.remove(chosen.map(({ id }) => id))
        }
      }
      const known = (mempool: Mempool) => ids([...mempool.events()].filter((event) => HONEST.includes(event)))
      expect(known(flooded)).toEqual(known(quiet))
      expect(flooded.stats().events).toBeLessThanOrEqual(quiet.stats().events + 8)
    }),
    runs(100)
  )
})

test('the node’s own events are in its own blocks at the pace of half of them, in their order', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 25 }), fc.integer({ min: 2, max: 12 }), (waiting, maxEvents) => {
      const mempool = new Mempool(LIMITS)
      for (const [i, event] of FLOOD.entries())
        mempool.add(event, i % 2 === 0 ? unvouched(`${i}`) : vouched(`v${i % 5}`))
      const mine = HONEST.slice(0, waiting).map((_, i) => testEvent(chain, i, {}, 'one actor'))
      for (const event of mine) expect(mempool.add(event, own())).toBe('added')
      const served: CheckedEvent[] = []
      for (let blocks = 0; blocks < Math.ceil(waiting / Math.ceil(maxEvents / 2)); blocks++) {
        const chosen = mempool.select({ ...anything, maxEvents })
        served.push(...chosen.filter((event) => mine.includes(event)))
        mempool.remove(chosen.map(({ id }) => id))
      }
      expect(ids(served)).toEqual(ids(mine))
    }),
    runs(50)
  )
})

test.each(['vouched', 'unvouched'] as const)('each of n %s sources has its n-th, whoever was there first', (kind) => {
  const room = kind === 'vouched' ? 32 : 8
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.nat(5), { maxLength: 200 }), (others, flood) => {
      const mempool = new Mempool(LIMITS)
      const name = (index: number): Source => ({ kind, name: `source ${index}` })
      let displacing = 0
      for (const [i, by] of flood.entries()) {
        const event = FLOOD[i % FLOOD.length] as CheckedEvent
        if (mempool.add(event, name(by % others)) === 'displacing') displacing++
      }
      // It comes to an end: each time the room is shared more evenly.
      expect(displacing).toBeLessThanOrEqual(room * others)
      const late = HONEST.filter((event) => mempool.add(event, name(99)).match(/^(added|displacing)$/))
      expect(late.length).toBeGreaterThanOrEqual(Math.floor(room / (others + 1)))
      expect(ids(mempool.events())).toEqual(expect.arrayContaining(ids(late)))
    }),
    runs(100)
  )
})
