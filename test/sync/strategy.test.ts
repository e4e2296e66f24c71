import { describe, expect, it } from 'vitest'
import { Strategy } from '../../src/sync/strategy.ts'

const make = () => new Strategy(5000, 500)

describe('range sync or gossip', () => {
  it('begins when two certified heights behind, ends when caught up', () => {
    const strategy = make()
    expect(strategy.decide(false, 10, 10, 0)).toBeUndefined()
    expect(strategy.decide(false, 10, 11, 0)).toBeUndefined()
    expect(strategy.decide(false, 10, 12, 0)).toBe('begin')
    expect(strategy.decide(true, 11, 12, 0)).toBeUndefined()
    expect(strategy.decide(true, 12, 12, 0)).toBe('finish')
    expect(strategy.decide(false, 12, 14, 0)).toBe('begin')
  })

  it('begins for a single block that gossip does not bring', () => {
    const strategy = make()
    expect(strategy.decide(false, 10, 11, 1000)).toBeUndefined()
    expect(strategy.decide(false, 10, 11, 5999)).toBeUndefined()
    expect(strategy.decide(false, 10, 11, 6000)).toBe('begin')
  })

  it('does not mistake a chain that moves on for one that lags', () => {
    const strategy = make()
    for (let second = 0; second < 60; second++) {
      expect(strategy.decide(false, second, second + 1, second * 1000)).toBeUndefined()
    }
  })

  it('waits for more peers only when little is missing, and not for long', () => {
    const strategy = make()
    expect(strategy.decide(false, 0, 20, 1000)).toBe('begin')
    expect(strategy.gathered(0, 20, 1, 1000)).toBe(false)
    expect(strategy.gathered(0, 20, 4, 1000)).toBe(true)
    expect(strategy.gathered(0, 3000, 1, 1000)).toBe(true)
    expect(strategy.gathered(0, 20, 1, 1500)).toBe(true)
  })
})
