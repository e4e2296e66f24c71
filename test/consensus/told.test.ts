import { expect, it } from 'vitest'
import { NEWS_HEIGHTS, Told } from '../../src/consensus/told.ts'

it('a final block is news once, and not far below the tip', () => {
  let tip = 100
  const told = new Told(() => tip)
  const hash = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)
  expect([told.isNews(tip, hash(1)), told.add(tip, hash(1)), told.isNews(tip, hash(1))]).toEqual([true, true, false])
  // Another one of its height: one of the two conflicts.
  expect(told.isNews(tip, hash(2))).toBe(true)
  const last = tip - NEWS_HEIGHTS
  expect([told.isNews(last, hash(3)), told.isNews(last + 1, hash(3))]).toEqual([false, true])
  tip += NEWS_HEIGHTS
  expect(told.isNews(100, hash(4))).toBe(false)
})
