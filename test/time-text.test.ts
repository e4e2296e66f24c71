import { expect, test } from 'vitest'
import { ageText, timeText } from '../src/time-text.ts'

test('a date as far as dates go, then the number', () => {
  expect(timeText(0)).toBe('1970-01-01T00:00:00.000Z')
  expect(timeText(8.64e15)).toBe('+275760-09-13T00:00:00.000Z')
  expect(timeText(8.64e15 + 1)).toBe('8640000000000001')
  expect(timeText(Number.MAX_SAFE_INTEGER)).toBe('9007199254740991')
})

test.each([
  [-5, '0 s'],
  [999, '0 s'],
  [12_345, '12 s'],
  [60_000, '1 min'],
  [61_500, '1 min 1 s'],
  [3_600_000 * 25 + 59_000, '1 d 1 h'],
  [86_400_000 * 400, '400 d']
])('an age of %d ms is %s', (ms, text) => {
  expect(ageText(ms)).toBe(text)
})
