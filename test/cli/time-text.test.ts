import { expect, test } from 'vitest'
import { timeText } from '../../src/cli/time-text.ts'

test('a date as far as dates go, then the number', () => {
  expect(timeText(0)).toBe('1970-01-01T00:00:00.000Z')
  expect(timeText(8.64e15)).toBe('+275760-09-13T00:00:00.000Z')
  expect(timeText(8.64e15 + 1)).toBe('8640000000000001')
  expect(timeText(Number.MAX_SAFE_INTEGER)).toBe('9007199254740991')
})
