import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isoTime } from '../../src/chain/iso-time.ts'
import { runs } from '../support/runs.ts'

test('every time from 1970 to 9999 as ISO 8601, in whatever zone', () => {
  const time = fc.integer({ min: 0, max: Date.UTC(9999, 11, 30) })
  const zone = fc.integer({ min: -23 * 60, max: 23 * 60 })
  fc.assert(
    fc.property(time, zone, (time, zone) => {
      expect(isoTime(new Date(time).toISOString())).toBe(time)
      const local = time + zone * 60_000
      if (local < 0) return
      const [hours, minutes] = [Math.floor(Math.abs(zone) / 60), Math.abs(zone) % 60]
      const offset = [hours, minutes].map((part) => String(part).padStart(2, '0')).join(':')
      expect(isoTime(new Date(local).toISOString().replace('Z', `${zone < 0 ? '-' : '+'}${offset}`))).toBe(time)
    }),
    runs(300)
  )
})

test('the shorter forms', () => {
  expect(isoTime('2026-01-31T12:00Z')).toBe(Date.UTC(2026, 0, 31, 12))
  expect(isoTime('2026-01-31T12:00:05.5Z')).toBe(Date.UTC(2026, 0, 31, 12, 0, 5, 500))
  expect(isoTime('2026-01-31T00:30+01:00')).toBe(Date.UTC(2026, 0, 30, 23, 30))
})

test.each([
  '2026',
  '2026-01',
  '2026-01-31',
  '2026-01-31T12:00:00',
  '2026-01-31 12:00:00Z',
  '1767323045000',
  'ticket 5',
  'noon',
  '',
  'Jan 31 2026 12:00 GMT',
  '2026-02-30T00:00:00Z',
  '2025-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-00-01T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T00:60:00Z',
  '2026-12-31T23:59:60Z',
  '2026-01-01T00:00:00.0001Z',
  '2026-01-01T00:00:00+24:00',
  '2026-01-01T00:00:00+0100',
  '1969-12-31T23:59:59Z',
  '1970-01-01T00:00:00+00:01',
  '+002026-01-01T00:00:00Z',
  ' 2026-01-01T00:00:00Z'
])('%j is none', (text) => {
  expect(isoTime(text)).toBeUndefined()
})
