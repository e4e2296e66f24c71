import { expect, it } from 'vitest'
import { betterReading, readClock } from '../../src/network/clock-reading.ts'

const UNIX = 1_700_000_000_000

it('a clock was read some time between question and answer', () => {
  expect(readClock(UNIX, 100, 300)).toEqual({ at: 200, unix: UNIX, errorMs: 100 })
  expect(readClock(0, 100, 300)).toBeUndefined()
})

it('of two readings that agree the more exact one stays, for a minute', () => {
  const exact = { at: 0, unix: UNIX, errorMs: 1 }
  const rough = { at: 30_000, unix: UNIX + 30_100, errorMs: 200 }
  expect(betterReading(exact, rough)).toBe(exact)
  expect(betterReading(rough, exact)).toBe(exact)
  const later = { at: 60_000, unix: UNIX + 60_100, errorMs: 200 }
  expect(betterReading(exact, later)).toBe(later)
  expect(betterReading(exact, undefined)).toBe(exact)
  expect(betterReading(undefined, rough)).toBe(rough)
})

it('a clock that was set meanwhile is seen at once', () => {
  const exact = { at: 0, unix: UNIX, errorMs: 1 }
  const set = { at: 5000, unix: UNIX + 3_600_000, errorMs: 200 }
  expect(betterReading(exact, set)).toBe(set)
})
