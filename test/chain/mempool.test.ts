import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CheckedEvent } from '../../src/chain/event.ts'
import { Mempool, type MempoolLimits, type Source, sizeInBlock } from '../../src/chain/mempool.ts'
import { concatBytes, toHex } from '../../src/codec/bytes.ts'
import { joinBlock } from '../../src/codec/raw.ts'
import { runs } from '../support/runs.ts'
import { GENESIS_TIME, testChain, testEvent } from './fixture.ts'
import { mempoolLimits, own, unvouched, vouched } from './support/mempool-limits.ts'
import { actorOf, NaiveMempool, total } from './support/naive-mempool.ts'

const chain = testChain(1)
const ACTORS = 5
const W = 100
const ROOMY = mempoolLimits()

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

const DROPPED: Source = { kind: 'vouched', name: 'dropped blocks' }
const RESTORED: Source = { kind: 'own', name: 'before the restart' }
const SOURCES: readonly Source[] = [
  own('a'),
  own('b'),
  ...['v0', 'v1', 'v2'].map(vouched),
  ...['p', 'q', 'r'].map(unvouched)
]

const event = fc.nat(EVENTS.length - 1)
const someEvents = fc.array(event, { maxLength: 12 })
const time = fc.nat(5 * W).map((offset) => GENESIS_TIME - W + offset)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('add' as const), event, source: fc.constantFrom(...SOURCES) })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('readd' as const), events: someEvents }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), events: someEvents }) },
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
const room = fc.record({ maxEvents: fc.integer({ min: 1, max: 10 }), maxBytes: fc.integer({ min: 200, max: 2000 }) })
const limits: fc.Arbitrary<MempoolLimits> = fc.record({
  maxEvents: fc.integer({ min: 1, max: 60 }),
  maxBytes: fc.integer({ min: 500, max: 20_000 }),
  maxPerActor: fc.integer({ min: 1, max: 20 }),
  maxPerCaller: fc.integer({ min: 1, max: 40 }),
  unvouchedShare: fc.constantFrom(0.01, 0.05, 0.25, 0.4),
  unvouchedInBlock: room
})

describe('the mempool', () => {
  it('does what its rules say, and never exceeds a bound, whatever happens to it', () => {
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 120 }), (limits, steps) => {
        const mempool = new Mempool(limits)
        const naive = new NaiveMempool(limits)
        for (const step of steps) {
          if (step.do === 'add') {
            const had = mempool.hasRoom(step.source)
            const result = mempool.add(at(step.event), step.source)
            expect(result).toBe(naive.add(at(step.event), step.source))
            // It was not worth a look, and so it turned out.
            if (!had) expect(result).not.toMatch(/^(added|displacing|raised)$/)
          } else if (step.do === 'readd') {
            expect(ids(mempool.readd(step.events.map(at)))).toEqual(ids(naive.putBack(step.events.map(at), DROPPED)))
          } else if (step.do === 'restore') {
            expect(ids(mempool.restore(step.events.map(at)))).toEqual(ids(naive.putBack(step.events.map(at), RESTORED)))
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
        fc.constantFrom(own(), vouched('v0')),
        (order, sizes, source) => {
          const mempool = new Mempool(ROOMY)
          for (const one of order) mempool.add(one, source)
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

  it('asks for the caller’s share first, then the actor’s, then the part’s', () => {
    // Each event costs a quarter: two may wait of one's own.
    const mempool = new Mempool({ ...ROOMY, maxEvents: 8, maxBytes: 8 << 10, maxPerActor: 2, maxPerCaller: 3 })
    const add = (i: number, caller: string) => mempool.add(at(i), own(caller))
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
    const mempool = new Mempool({ ...ROOMY, maxEvents: 10, maxBytes: 10_000, maxPerCaller: 1 })
    const huge = testEvent(chain, 1, { metadata: [{ key: 'k', value: 'x'.repeat(3000) }] })
    const next = testEvent(chain, 2, {}, 'somebody else')
    expect(mempool.add(huge, own('a'))).toBe('added')
    expect(mempool.add(next, own('a'))).toBe('source-full')
    expect(mempool.add(next, own('b'))).toBe('added')
  })

  it('passes over an actor whose next event does not fit, and does not let its later ones overtake', () => {
    const mempool = new Mempool(ROOMY)
    const large = testEvent(chain, 1, { metadata: [{ key: 'k', value: 'x'.repeat(1000) }] }, 'one')
    const small = testEvent(chain, 2, {}, 'one')
    const other = testEvent(chain, 3, {}, 'two')
    for (const one of [large, small, other]) mempool.add(one, own())
    expect(ids(mempool.select({ ...everything, maxBytes: 1000 }))).toEqual(ids([other]))
    expect(ids(mempool.select(everything))).toEqual(ids([large, other, small]))
    expect(ids(mempool.select({ ...everything, maxBytes: 0 }))).toEqual([])
  })

  it('brings back the events of a proposal that lost, on no validator’s share, and those from before a restart on no caller’s', () => {
    const mempool = new Mempool({ ...ROOMY, maxPerCaller: 1 })
    mempool.add(at(0), own())
    expect(ids(mempool.readd([at(10), at(1), at(0), at(5)]))).toEqual(ids([at(10), at(1), at(5)]))
    expect(ids(mempool.readd([at(15)]))).toEqual(ids([at(15)]))
    expect(ids(mempool.restore([at(2), at(7)]))).toEqual(ids([at(2), at(7)]))
    // The node's own first; what comes back goes before its actor's others.
    expect(ids(mempool.select(everything))).toEqual(ids([at(0), at(2), at(7), at(15), at(1), at(10), at(5)]))
    expect(mempool.add(at(3), own('another'))).toBe('added')
  })

  it('keeps events at the edges of the window, and expires only those whose time has passed', () => {
    const mempool = new Mempool(ROOMY)
    const [past, first, last, ahead] = [-W - 1, -W, W, W + 1].map((offset, i) =>
      testEvent(chain, i, { timestamp: GENESIS_TIME + offset })
    ) as [CheckedEvent, CheckedEvent, CheckedEvent, CheckedEvent]
    for (const one of [past, first, last, ahead]) mempool.add(one, own())
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
  for (const kind of ['own', 'vouched', 'unvouched'] as const) {
    const held = naive.of(kind)
    if (held.length > 1) expect(naive.cost(held)).toBeLessThanOrEqual(naive.room(kind))
  }
  expect(events).toBeLessThanOrEqual(limits.maxEvents + 2)
  const actors = new Set(naive.events.map(actorOf))
  for (const actor of actors) {
    const held = naive.events.filter((one) => actorOf(one) === actor)
    expect(held.length).toBeLessThanOrEqual(limits.maxPerActor)
  }
  for (const caller of ['a', 'b']) expect(naive.of('own', caller).length).toBeLessThanOrEqual(limits.maxPerCaller)
}
