import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HeightRanges } from '../../src/store/height-ranges.ts'
import { runs } from '../support/runs.ts'

const range = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 12 }))
const step = fc.oneof(
  range.map(([from, more]) => ({ add: { from, to: from + more } })),
  fc.integer({ min: 1, max: 80 }).map((drop) => ({ drop }))
)

test('is the set of its heights, whatever was added and dropped', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), range, (steps, [from, more]) => {
      const ranges = new HeightRanges()
      const model = new Set<number>()
      for (const one of steps) {
        if ('add' in one) {
          ranges.add(one.add.from, one.add.to)
          for (let height = one.add.from; height <= one.add.to; height++) model.add(height)
        } else {
          ranges.dropFrom(one.drop)
          for (const height of [...model]) if (height >= one.drop) model.delete(height)
        }
      }
      expect(ranges.size).toBe(model.size)
      ranges.ranges.forEach((one, at) => {
        expect(one.from).toBeLessThanOrEqual(one.to)
        expect(one.from).toBeGreaterThan((ranges.ranges[at - 1]?.to ?? -1) + 1)
      })
      for (let height = 0; height < 90; height++) {
        expect(ranges.has(height)).toBe(model.has(height))
        const found = ranges.find(height)
        expect(found === undefined).toBe(!model.has(height))
      }
      const missing = ranges.missing(from, from + more).flatMap((gap) => heightsOf(gap))
      expect(missing).toEqual(heightsOf({ from, to: from + more }).filter((height) => !model.has(height)))
      expect(new HeightRanges(ranges.ranges).ranges).toEqual(ranges.ranges)
    }),
    runs(300)
  )
})

function heightsOf({ from, to }: { from: number; to: number }): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}
