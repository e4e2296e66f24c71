import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CheckedEvent } from '../../src/chain/event.ts'
import { Mempool, type MempoolLimits, sizeInBlock } from '../../src/chain/mempool.ts'
import { concatBytes, toHex } from '../../src/codec/bytes.ts'
import { joinBlock } from '../../src/codec/raw.ts'
import { runs } from '../support/runs.ts'
import { GENESIS_TIME, testChain, testEvent } from './fixture.ts'
import { actorOf, NaiveMempool, total } from './support/naive-mempool.ts'

const chain = testChain(1)
const ACTORS = 5
const W = 100
const ROOMY: MempoolLimits = { maxEvents: 1000, maxBytes: 1 << 20, maxPerActor: 1000, maxPerSource: 1000 }

/** 100 events of 5 actors, of sizes from some 160 to 660 bytes, with timestamps over three windows. */
const EVENTS = Array.from({ length: 100 }, (_, i) =>
  testEvent(
    chain,
    i,
    { timestamp: GENESIS_TIME + ((i * 37) % (3 * W)), resource: { kind: 'k', id: 'x'.repeat(1 + ((i * 53) % 500)) } },
    `actor ${i % ACTORS}`
  )
)
const at = (i: number): CheckedEvent => EVENTS[i] as CheckedEvent
const ids = (events: readonly CheckedEvent[]): string[] => events.map(({ id }) => toHex(id))
const everything = { maxEvents: 1000, maxBytes: 1 << 20, timestamp: GENESIS_TIME, windowMs: 100 * W }

const event = fc.nat(EVENTS.length - 1)
const someEvents = fc.array(event, { maxLength: 12 })
const time = fc.nat(5 * W).map((offset) => GENESIS_TIME - W + offset)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('add' as const), event, source: fc.constantFrom('a', 'b', 'c') })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('readd' as const), events: someEvents }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), events: someEvents, flat: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire' as const), time }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('propose' as const),
      time,
      maxEvents: fc.nat(20),
      maxBytes: fc.nat(4000),
      skip: fc.constantFrom(0, 1, 3),
      finalize: fc.boolean()
    })
  }
)
const limits = fc.record({
  maxEvents: fc.integer({ min: 1, max: 60 }),
  maxBytes: fc.integer({ min: 500, max: 20_000 }),
  maxPerActor: fc.integer({ min: 1, max: 20 }),
  maxPerSource: fc.integer({ min: 1, max: 40 })
})

describe('the mempool', () => {
  it('does what its rules say, and never exceeds a bound, whatever happens to it', () => {
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 120 }), (limits, steps) => {
        const mempool = new Mempool(limits)
        const naive = new NaiveMempool(limits)
        for (const step of steps) {
          if (step.do === 'add') {
            expect(mempool.add(at(step.event), step)).toBe(naive.add(at(step.event), step.source))
          } else if (step.do === 'readd') {
            expect(ids(mempool.readd(step.events.map(at)))).toEqual(ids(naive.readd(step.events.map(at))))
          } else if (step.do === 'remove') {
            const gone = step.events.map((i) => at(i).id)
            expect(mempool.remove(step.flat ? concatBytes(...gone) : gone)).toBe(naive.remove(step.events.map(at)))
          } else if (step.do === 'expire') {
            expect(ids(mempool.expire(step.time, W))).toEqual(ids(naive.expire(step.time, W)))
          } else {
            const skip = step.skip === 0 ? undefined : (id: Uint8Array) => (id[0] as number) % step.skip === 0
            const options = { ...step, timestamp: step.time, windowMs: W, skip }
            const chosen = mempool.select(options)
            expect(ids(chosen)).toEqual(ids(naive.select(options)))
            expect(mempool.hasSelectable(options)).toBe(
              naive.select({ ...everything, ...options, ...NO_LIMIT }).length > 0
            )
            expect(chosen.length).toBeLessThanOrEqual(step.maxEvents)
            expect(chosen.reduce((sum, one) => sum + sizeInBlock(one), 0)).toBeLessThanOrEqual(step.maxBytes)
            if (step.finalize) {
              mempool.remove(chosen.map(({ id }) => id))
              naive.remove(chosen)
            }
          }
          checkBounds(mempool, naive, limits)
        }
        expect(ids([...mempool.events()])).toEqual(ids(naive.events))
        for (const one of EVENTS) expect(mempool.get(one.id)).toBe(naive.events.includes(one) ? one : undefined)
        mempool.remove(EVENTS.map(({ id }) => id))
        expect(mempool.stats()).toEqual({ events: 0, bytes: 0 })
      }),
      runs(150)
    )
  })

  it('gives every waiting actor the same share of blocks, to within one event, whatever the blocks hold', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(EVENTS, { minLength: 100 }),
        fc.array(fc.integer({ min: 1, max: 9 })),
        (order, sizes) => {
          const mempool = new Mempool(ROOMY)
          for (const one of order) mempool.add(one, { source: 'a' })
          const served = new Map<string, CheckedEvent[]>()
          for (const maxEvents of sizes) {
            const block = mempool.select({ ...everything, maxEvents })
            for (const one of block) served.set(actorOf(one), [...(served.get(actorOf(one)) ?? []), one])
            mempool.remove(block.map(({ id }) => id))
            const counts = EVENTS.slice(0, ACTORS).map((one) => served.get(actorOf(one))?.length ?? 0)
            if (Math.max(...counts) < EVENTS.length / ACTORS) {
              expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
            }
          }
          for (const [actor, events] of served) {
            const arrived = order.filter((one) => actorOf(one) === actor)
            expect(ids(events)).toEqual(ids(arrived.slice(0, events.length)))
          }
        }
      ),
      runs(50)
    )
  })

  it('asks for the source’s quota first, then the actor’s, then its own', () => {
    const mempool = new Mempool({ ...ROOMY, maxEvents: 4, maxPerActor: 2, maxPerSource: 3 })
    const add = (i: number, source: string) => mempool.add(at(i), { source })
    expect([add(0, 'a'), add(5, 'a'), add(1, 'a')]).toEqual(['added', 'added', 'added'])
    expect(add(0, 'a')).toBe('known')
    expect(add(10, 'a')).toBe('source-full')
    expect(add(10, 'b')).toBe('actor-full')
    expect(add(2, 'b')).toBe('added')
    expect(add(3, 'b')).toBe('full')
    mempool.remove([at(0).id])
    expect(add(10, 'a')).toBe('added')
  })

  it('bounds a share in bytes as in events, but for a first event', () => {
    const big = { ...ROOMY, maxEvents: 10, maxBytes: 5000, maxPerActor: 1000, maxPerSource: 1 }
    const mempool = new Mempool(big)
    const huge = testEvent(chain, 1, { metadata: [{ key: 'k', value: 'x'.repeat(2000) }] })
    const next = testEvent(chain, 2, {}, 'somebody else')
    expect(mempool.add(huge, { source: 'a' })).toBe('added')
    expect(mempool.add(next, { source: 'a' })).toBe('source-full')
    expect(mempool.add(next, { source: 'b' })).toBe('added')
  })

  it('passes over an actor whose next event does not fit, and does not let its later ones overtake', () => {
    const mempool = new Mempool(ROOMY)
    const large = testEvent(chain, 1, { metadata: [{ key: 'k', value: 'x'.repeat(1000) }] }, 'one')
    const small = testEvent(chain, 2, {}, 'one')
    const other = testEvent(chain, 3, {}, 'two')
    for (const one of [large, small, other]) mempool.add(one, { source: 'a' })
    expect(ids(mempool.select({ ...everything, maxBytes: 1000 }))).toEqual(ids([other]))
    expect(ids(mempool.select(everything))).toEqual(ids([large, other, small]))
    expect(ids(mempool.select({ ...everything, maxBytes: 0 }))).toEqual([])
  })

  it('brings back the events of a proposal that lost before the others of their actors, on no quota', () => {
    const mempool = new Mempool({ ...ROOMY, maxPerSource: 1 })
    mempool.add(at(0), { source: 'a' })
    expect(ids(mempool.readd([at(10), at(1), at(0), at(5)]))).toEqual(ids([at(10), at(1), at(5)]))
    expect(ids(mempool.select(everything))).toEqual(ids([at(10), at(1), at(5), at(0)]))
    expect(mempool.add(at(2), { source: 'b' })).toBe('added')
  })

  it('keeps events at the edges of the window, and expires only those whose time has passed', () => {
    const mempool = new Mempool(ROOMY)
    const [past, first, last, ahead] = [-W - 1, -W, W, W + 1].map((offset, i) =>
      testEvent(chain, i, { timestamp: GENESIS_TIME + offset })
    ) as [CheckedEvent, CheckedEvent, CheckedEvent, CheckedEvent]
    for (const one of [past, first, last, ahead]) mempool.add(one, { source: 'a' })
    const options = { ...everything, windowMs: W }
    expect(ids(mempool.select(options))).toEqual(ids([first, last]))
    expect(ids(mempool.expire(GENESIS_TIME, W))).toEqual(ids([past]))
    expect(ids(mempool.expire(GENESIS_TIME, W))).toEqual([])
    expect(mempool.stats().events).toBe(3)
    expect(ids(mempool.select({ ...options, timestamp: GENESIS_TIME + 1 }))).toEqual(ids([last, ahead]))
    expect(ids(mempool.expire(GENESIS_TIME + 10 * W, W))).toEqual(ids([first, last, ahead]))
    expect(mempool.hasSelectable(options)).toBe(false)
  })

  it('counts an event’s bytes as a block does', () => {
    const empty = joinBlock(new Uint8Array(1), new Uint8Array(64), []).byteLength
    for (const value of [0, 100, 13_000, 20_000]) {
      const one = testEvent(chain, 1, { metadata: [{ key: 'k', value: 'x'.repeat(value) }] })
      const block = joinBlock(new Uint8Array(1), new Uint8Array(64), [one.bytes])
      expect(sizeInBlock(one)).toBe(block.byteLength - empty)
    }
  })
})

const NO_LIMIT = { maxEvents: EVENTS.length, maxBytes: 1 << 20 }

function checkBounds(mempool: Mempool, naive: NaiveMempool, limits: MempoolLimits): void {
  const { events, bytes } = mempool.stats()
  expect([events, bytes]).toEqual([naive.held.length, total(naive.events)])
  expect(events).toBeLessThanOrEqual(limits.maxEvents)
  expect(bytes).toBeLessThanOrEqual(limits.maxBytes)
  for (const queue of naive.queues.values()) expect(queue.length).toBeLessThanOrEqual(limits.maxPerActor)
  for (const source of ['a', 'b', 'c']) expect(naive.of(source).length).toBeLessThanOrEqual(limits.maxPerSource)
}
