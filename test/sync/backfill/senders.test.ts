import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Senders } from '../../../src/sync/backfill/senders.ts'
import { runs } from '../../support/runs.ts'

const TOP = 40
const heights = fc.integer({ min: 1, max: TOP })

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        from: heights,
        count: fc.integer({ min: 1, max: 12 }),
        peer: fc.constantFrom('a', 'b', 'c')
      })
    },
    { weight: 1, arbitrary: fc.record({ drop: heights }) }
  ),
  { maxLength: 40 }
)

test('every height is the one peer that sent it first since it was last dropped', () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const senders = new Senders()
      const naive = new Map<number, string>()
      for (const step of taken) {
        if ('drop' in step) {
          senders.dropFrom(step.drop)
          for (const height of [...naive.keys()]) if (height >= step.drop) naive.delete(height)
        } else {
          const to = step.from + step.count - 1
          senders.add(step.from, to, step.peer)
          for (let at = step.from; at <= to; at++) if (!naive.has(at)) naive.set(at, step.peer)
        }
        for (let at = 0; at <= TOP + 13; at++) expect(senders.find(at)).toBe(naive.get(at))
        expect(senders.size).toBeLessThanOrEqual(naive.size)
      }
    }),
    runs(500)
  )
})

test('a peer that sends one block a frame takes one entry a piece', () => {
  const senders = new Senders()
  for (let piece = 99; piece >= 0; piece--) {
    for (let at = 1; at <= 256; at++) senders.add(piece * 256 + at, piece * 256 + at, 'a')
  }
  expect(senders.size).toBe(100)
  senders.dropFrom(256 * 50)
  expect(senders.size).toBe(50)
  expect(senders.find(256 * 50 - 1)).toBe('a')
  expect(senders.find(256 * 50)).toBeUndefined()
})
