import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CLOCK_TOLERANCE_MS,
  type ClockReading,
  type Clocks,
  compareClocks,
  ProposalTimes
} from '../../src/consensus/clocks.ts'
import { runs } from '../support/runs.ts'
import { validatorSet } from './support/messages.ts'

const NOW = 1_700_000_000_000
const MONOTONIC = 5_000_000
const HOUR = 3_600_000

interface Scene {
  readonly size?: number
  readonly self?: number
  /** By validator: how far it says to be ahead of our clock. */
  readonly said?: Record<number, number>
  readonly proposed?: Record<number, number>
  readonly errorMs?: number
  readonly ageMs?: number
}

function compare({ size = 4, self = 0, said = {}, proposed = {}, errorMs = 0, ageMs = 0 }: Scene): Clocks {
  const at = MONOTONIC - ageMs
  const read = (leads: Record<number, number>): Map<number, ClockReading> =>
    new Map(Object.entries(leads).map(([index, lead]) => [Number(index), { at, unix: NOW - ageMs + lead, errorMs }]))
  const own = { validators: validatorSet(size), self, now: NOW, monotonic: MONOTONIC }
  return compareClocks(own, read(said), read(proposed))
}

it('clocks within the tolerance are right', () => {
  const clocks = compare({ said: { 1: 2000, 2: -2000, 3: 300 } })
  expect(clocks).toEqual({ median: { least: 0, most: 0 + 300 }, ownAheadMs: 0, wrong: [] })
})

it('one that is off is named, and how far', () => {
  expect(compare({ said: { 1: 10, 2: HOUR, 3: -10 } }).wrong).toEqual([{ validator: 'v2', aheadMs: HOUR - 10 }])
  expect(compare({ said: { 1: 0, 2: -HOUR, 3: 0 } }).wrong).toEqual([{ validator: 'v2', aheadMs: -HOUR }])
})

it('our own is off where the others agree that it is', () => {
  expect(compare({ said: { 1: HOUR, 2: HOUR + 50, 3: HOUR } })).toMatchObject({ ownAheadMs: -HOUR, wrong: [] })
  expect(compare({ said: { 1: -HOUR, 2: -HOUR, 3: -HOUR - 50 } })).toMatchObject({ ownAheadMs: HOUR, wrong: [] })
})

it('how exact a reading is, and how old, does not count against a clock', () => {
  expect(compare({ said: { 1: 3000, 2: 3000, 3: 3000 }, errorMs: 1500 }).ownAheadMs).toBe(0)
  expect(compare({ said: { 1: 0, 2: 0, 3: 0 }, ageMs: 30_000 })).toMatchObject({ ownAheadMs: 0, wrong: [] })
})

it('with fewer than 2f + 1 clocks nothing is said', () => {
  expect(compare({ said: { 1: HOUR } })).toEqual({ median: undefined, ownAheadMs: 0, wrong: [] })
  expect(compare({ self: -1, said: { 1: HOUR, 2: HOUR } }).median).toBeUndefined()
  expect(compare({ self: -1, said: { 1: HOUR, 2: HOUR, 3: HOUR } }).ownAheadMs).toBe(-HOUR)
})

it('of two clocks that differ neither is said to be off', () => {
  expect(compare({ size: 2, said: { 1: HOUR } })).toMatchObject({ ownAheadMs: 0, wrong: [] })
})

it('a proposal shows how far a clock is ahead at least, and never that it is behind', () => {
  expect(compare({ said: { 1: 0, 3: 0 }, proposed: { 2: HOUR } }).wrong).toEqual([{ validator: 'v2', aheadMs: HOUR }])
  expect(compare({ said: { 1: 0, 3: 0 }, proposed: { 2: -HOUR } }).wrong).toEqual([])
  // What it says itself is newer.
  expect(compare({ said: { 1: 0, 2: 0, 3: 0 }, proposed: { 2: HOUR } }).wrong).toEqual([])
})

it('a proposal is forgotten in time, and when the next shows nothing', () => {
  const times = new ProposalTimes()
  const timed = { proposer: 2, timestamp: NOW + HOUR, now: NOW }
  times.heard({ ...timed, timing: 'ahead' }, MONOTONIC)
  expect(times.recent(MONOTONIC + 600_000)).toEqual(
    new Map([[2, { at: MONOTONIC, unix: NOW + HOUR, refusedMs: HOUR }]])
  )
  expect(times.recent(MONOTONIC + 600_001).size).toBe(0)
  times.heard({ ...timed, timing: 'near' }, MONOTONIC)
  expect(times.recent(MONOTONIC).get(2)?.refusedMs).toBeUndefined()
  times.heard({ ...timed, timing: 'least' }, MONOTONIC)
  expect(times.recent(MONOTONIC).size).toBe(0)
})

describe('whatever f validators say,', () => {
  const scene = fc.integer({ min: 1, max: 10 }).chain((size) => {
    const faulty = Math.floor((size - 1) / 3)
    return fc.record({
      size: fc.constant(size),
      lies: fc.array(fc.integer({ min: -24 * HOUR, max: 24 * HOUR }), { maxLength: faulty }),
      honest: fc.array(fc.integer({ min: 0, max: CLOCK_TOLERANCE_MS }), { minLength: size, maxLength: size }),
      // Of the others that follow the rules, in which some may not be connected.
      silent: fc.array(fc.boolean(), { minLength: size, maxLength: size }),
      ownAhead: fc.integer({ min: -24 * HOUR, max: 24 * HOUR })
    })
  })

  /** Validators 1 … are liars first; honest clocks are within the tolerance of each other, ours is `ownAhead` of them. */
  function said(lies: readonly number[], honest: readonly number[], silent: readonly boolean[], ownAhead: number) {
    const leads: Record<number, number> = {}
    for (let index = 1; index < honest.length; index++) {
      const lie = lies[index - 1]
      if (lie !== undefined) leads[index] = lie
      else if (!silent[index]) leads[index] = honest[index]! - ownAhead
    }
    return leads
  }

  it('no honest clock is called wrong, nor ours where it is right', () => {
    fc.assert(
      fc.property(scene, ({ size, lies, honest, silent }) => {
        const clocks = compare({ size, said: said(lies, [0, ...honest.slice(1)], silent, 0) })
        expect(clocks.ownAheadMs).toBe(0)
        const liars = lies.map((_, i) => `v${i + 1}`)
        expect(clocks.wrong.filter(({ validator }) => !liars.includes(validator))).toEqual([])
      }),
      runs(500)
    )
  })

  it('ours is found to be off if it is by more than twice the tolerance, and how far', () => {
    fc.assert(
      fc.property(scene, ({ size, lies, honest, ownAhead }) => {
        // One of the f wrong clocks is ours: the liars are one fewer.
        fc.pre(size >= 4 && Math.abs(ownAhead) > 2 * CLOCK_TOLERANCE_MS)
        const liars = lies.slice(1)
        const { ownAheadMs } = compare({ size, said: said(liars, honest, [], ownAhead) })
        expect(Math.abs(ownAheadMs - ownAhead)).toBeLessThanOrEqual(CLOCK_TOLERANCE_MS)
        expect(Math.sign(ownAheadMs)).toBe(Math.sign(ownAhead))
      }),
      runs(500)
    )
  })
})
