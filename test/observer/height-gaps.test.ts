import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HeightGaps, type HeightRange } from '../../src/observer/height-gaps.ts'
import { runs } from '../support/runs.ts'

const GRACE = 100

function heightsOf(ranges: readonly HeightRange[]): number[] {
  return ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i))
}

describe('gaps of heights', () => {
  test('are reported once their time is over, each as one range', () => {
    const gaps = new HeightGaps(GRACE)
    expect(gaps.seen(5)).toBe('new')
    gaps.final(5, 0)
    gaps.seen(9)
    gaps.final(9, 10)
    expect(gaps.settle(10 + GRACE - 1)).toEqual([])
    expect(gaps.settle(10 + GRACE)).toEqual([{ from: 6, to: 8 }])
    expect(gaps.settle(10_000)).toEqual([])
    expect(gaps.end(10_000)).toEqual([])
  })

  test('what comes in time in another order is not missed', () => {
    const gaps = new HeightGaps(GRACE)
    for (const height of [3, 6, 4, 5]) expect(gaps.seen(height)).toBe('new')
    gaps.final(6, 0)
    expect(gaps.settle(GRACE)).toEqual([])
    expect(gaps.seen(4)).toBe('known')
  })

  test('what comes after it was reported is late, once', () => {
    const gaps = new HeightGaps(GRACE)
    gaps.seen(1)
    gaps.final(6, 0)
    expect(gaps.settle(GRACE)).toEqual([{ from: 2, to: 6 }])
    expect([gaps.seen(4), gaps.seen(4), gaps.seen(2), gaps.seen(6)]).toEqual(['late', 'known', 'late', 'late'])
  })

  test('heights before the first are not missed, and old unless they are of its time', () => {
    const gaps = new HeightGaps(GRACE)
    gaps.final(99, 0)
    expect(gaps.settle(GRACE)).toEqual([])
    expect(gaps.seen(100)).toBe('new')
    expect(gaps.seen(99)).toBe('new')
    expect(gaps.seen(20)).toBe('old')
    gaps.final(100, GRACE)
    expect(gaps.settle(2 * GRACE)).toEqual([])
    expect(gaps.seen(98)).toBe('old')
  })

  test('a replay of long ago does not begin the watch', () => {
    const gaps = new HeightGaps(GRACE)
    gaps.final(100, 0)
    expect([gaps.seen(3), gaps.seen(97), gaps.seen(98), gaps.seen(97), gaps.seen(3)]).toEqual([
      'old',
      'old',
      'new',
      'old',
      'old'
    ])
    for (const height of [99, 100, 101]) gaps.seen(height)
    gaps.final(101, 0)
    expect(gaps.settle(GRACE)).toEqual([])
  })

  test('what would be said of a height can be asked before', () => {
    const ask = fc.record({ height: fc.integer({ min: 1, max: 40 }), final: fc.boolean(), now: fc.nat(3 * GRACE) })
    fc.assert(
      fc.property(fc.array(ask, { maxLength: 60 }), (asks) => {
        const gaps = new HeightGaps(GRACE)
        for (const { height, final, now } of asks) {
          const before = gaps.sighting(height)
          expect(gaps.sighting(height)).toBe(before)
          expect(gaps.seen(height)).toBe(before)
          if (final) gaps.final(height, now)
          gaps.settle(now)
        }
      }),
      runs(100)
    )
  })

  test('a height that is voted for and not final is no gap, however high', () => {
    const gaps = new HeightGaps(GRACE)
    gaps.seen(1)
    gaps.final(1, 0)
    for (let i = 0; i < 10_000; i++) gaps.seen(1_000_000 + i)
    expect(gaps.end(GRACE)).toEqual([])
    expect(gaps.seen(2)).toBe('new')
    gaps.final(3, GRACE)
    expect(gaps.end(2 * GRACE)).toEqual([{ from: 3, to: 3 }])
  })

  test('at the end what is missing below the highest seen is told at once; the present is not', () => {
    const gaps = new HeightGaps(GRACE)
    gaps.seen(1)
    gaps.seen(4)
    gaps.final(4, 0)
    gaps.final(6, 0)
    expect(gaps.end(1)).toEqual([{ from: 2, to: 3 }])
    expect(gaps.end(GRACE)).toEqual([{ from: 5, to: 6 }])
  })

  test('what was shown and what is reported are all final heights, each once', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ type: fc.constant('seen' as const), back: fc.nat(8) }) },
      { weight: 3, arbitrary: fc.record({ type: fc.constant('final' as const), by: fc.integer({ min: 1, max: 5 }) }) },
      { weight: 3, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(150) }) }
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const gaps = new HeightGaps(GRACE)
        const shown: number[] = []
        const missed: number[] = []
        const late: number[] = []
        /** When each height was first known to be final. */
        const finalAt = new Map<number, number>()
        const seenAt = new Map<number, number>()
        let [now, top] = [0, 100]
        gaps.final(top, now)
        for (let height = 0; height <= top; height++) finalAt.set(height, now)
        const report = (ranges: readonly HeightRange[]): void => {
          for (const height of heightsOf(ranges)) {
            // Nothing came, and there was time for it.
            expect(seenAt.has(height)).toBe(false)
            expect(now - (finalAt.get(height) as number)).toBeGreaterThanOrEqual(GRACE)
            missed.push(height)
          }
        }
        for (const one of steps) {
          if (one.type === 'pass') {
            now += one.ms
            report(gaps.settle(now))
          } else if (one.type === 'final') {
            for (let i = 0; i < one.by; i++) finalAt.set(++top, now)
            gaps.final(top, now)
          } else {
            const height = top - one.back
            const sighting = gaps.seen(height)
            if (sighting === 'new') shown.push(height)
            if (sighting === 'late') late.push(height)
            expect(sighting === 'late').toBe(missed.includes(height) && !seenAt.has(height))
            if (sighting !== 'old') seenAt.set(height, now)
          }
        }
        now += GRACE
        report(gaps.settle(now))
        expect(new Set(shown).size).toBe(shown.length)
        expect(new Set(late).size).toBe(late.length)
        const all = [...shown, ...missed].sort((a, b) => a - b)
        const first = Math.min(...shown)
        expect(all).toEqual(shown.length === 0 ? [] : Array.from({ length: top - first + 1 }, (_, i) => first + i))
      }),
      runs(500)
    )
  })
})
