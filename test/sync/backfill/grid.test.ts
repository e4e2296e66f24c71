import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PieceGrid } from '../../../src/sync/backfill/grid.ts'
import { runs } from '../../support/runs.ts'

const sizes = fc.integer({ min: 1, max: 20 })
const tops = fc.integer({ min: 0, max: 200 })

test('pieces are all heights, the topmost first, and the same ones whatever the top', () => {
  fc.assert(
    fc.property(tops, sizes, (top, size) => {
      const grid = new PieceGrid(top, size)
      let next = top
      for (let piece = 0; piece < grid.count; piece++) {
        const { from, to } = grid.heights(piece)
        expect(to).toBe(next)
        expect((from - 1) % size).toBe(0)
        expect(to - from).toBeLessThan(size)
        next = from - 1
      }
      expect(next).toBe(0)
    }),
    runs(200)
  )
})

test('a peer is asked for just the pieces that it holds from end to end', () => {
  fc.assert(
    fc.property(
      tops,
      sizes,
      fc.integer({ min: 0, max: 210 }),
      fc.integer({ min: 0, max: 210 }),
      (top, size, from, to) => {
        const grid = new PieceGrid(top, size)
        const held = Array.from({ length: grid.count }, (_, piece) => piece).filter((piece) => {
          const heights = grid.heights(piece)
          return from <= heights.from && heights.to <= to
        })
        const within = grid.within(from, to)
        expect(within).toEqual(held.length === 0 ? undefined : { from: held[0], to: held.at(-1) })
      }
    ),
    runs(500)
  )
})
