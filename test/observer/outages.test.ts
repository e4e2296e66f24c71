import { expect, test } from 'vitest'
import { Outages } from '../../src/observer/outages.ts'

test('a gap of heights that became final while there was no peer says how long that was', () => {
  const outages = new Outages()
  expect(outages.rejoined(5, 10)).toBeUndefined()
  outages.left(100, 10)
  outages.left(150, 10)
  expect(outages.since).toBe(100)
  expect(outages.rejoined(600, 14)).toBe(500)
  expect(outages.since).toBeUndefined()
  expect(outages.within({ from: 11, to: 14 })).toBe(500)
  // Until the new peer's mesh is made it sends nothing.
  expect(outages.within({ from: 15, to: 15 })).toBe(500)
  expect(outages.within({ from: 16, to: 20 })).toBeUndefined()
  expect(outages.within({ from: 7, to: 10 })).toBeUndefined()
})

test('of a gap with several outages in it their times are added', () => {
  const outages = new Outages()
  outages.left(0, 10)
  outages.rejoined(100, 12)
  outages.left(200, 13)
  outages.rejoined(250, 20)
  expect(outages.within({ from: 11, to: 20 })).toBe(150)
  expect(outages.within({ from: 16, to: 20 })).toBe(50)
})

test('one in which nothing became final belongs to the height after it', () => {
  const outages = new Outages()
  outages.left(0, 10)
  outages.rejoined(30, 0)
  expect(outages.within({ from: 11, to: 11 })).toBe(30)
  expect(outages.within({ from: 12, to: 12 })).toBeUndefined()
})
