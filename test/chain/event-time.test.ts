import fc from 'fast-check'
import { expect, test } from 'vitest'
import { describeOutside, eventTiming } from '../../src/chain/event-time.ts'
import { runs } from '../support/runs.ts'

const NOW = 1_700_000_000_000
const HOUR = 3_600_000
const W = { eventWindowMs: 600_000 }
const time = fc.record({
  now: fc.integer({ min: NOW - HOUR, max: NOW + HOUR }),
  tip: fc.integer({ min: NOW - HOUR, max: NOW + HOUR })
})

test('an event is in time exactly where the next block may hold it, and past where no later one may', () => {
  fc.assert(
    fc.property(time, fc.integer({ min: -2 * HOUR, max: 2 * HOUR }), fc.nat(HOUR), (at, offset, later) => {
      const timestamp = NOW + offset
      const next = Math.max(at.now, at.tip + 1)
      const holds = (block: number): boolean => Math.abs(block - timestamp) <= W.eventWindowMs
      const timing = eventTiming(timestamp, at, W)
      expect(timing === 'in-time').toBe(holds(next))
      if (timing === 'past') expect(holds(next + later)).toBe(false)
      if (timing === 'future') expect(holds(timestamp)).toBe(true)
    }),
    runs(500)
  )
})

test('while chain time is ahead by more than the window, what is signed now is past, and it is said from when on it is not', () => {
  const ahead = { now: NOW, tip: NOW + HOUR - 1 }
  expect(eventTiming(NOW, ahead, W)).toBe('past')
  expect(eventTiming(NOW + HOUR - W.eventWindowMs, ahead, W)).toBe('in-time')
  expect(describeOutside(NOW, ahead, W)).toBe(
    "timestamp 1700000000000 is 3600000 ms from the next block's; at most 600000 is accepted: chain time is 2023-11-14T23:13:19.999Z, 3599999 ms ahead of now, events of 2023-11-14T23:03:20.000Z and later are taken"
  )
  expect(eventTiming(NOW, { now: NOW, tip: NOW + 1000 }, W)).toBe('in-time')
})

test('a chain that was quiet takes what is near now, however old its last block is', () => {
  const quiet = { now: NOW, tip: NOW - 100 * HOUR }
  expect(eventTiming(NOW, quiet, W)).toBe('in-time')
  expect(describeOutside(NOW - HOUR, quiet, W)).toBe(
    'timestamp 1699996400000 is 3600000 ms from now; at most 600000 is accepted'
  )
})
