import { expect, test } from 'vitest'
import { risingTime } from '../../src/chain/rising-time.ts'

test('follows the clock and rises when the clock does not', () => {
  const clock = [5, 5, 5, 9, 3, 20]
  const time = risingTime(() => clock.shift() as number)
  expect(Array.from({ length: 6 }, time)).toEqual([5, 6, 7, 9, 10, 20])
})
