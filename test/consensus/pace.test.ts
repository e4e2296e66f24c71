import { describe, expect, it } from 'vitest'
import { DEFAULT_PARAMS } from '../../src/chain/params.ts'
import { FINALIZED_RANK_DELAY_MS, paceMoment, publicationDelay, roundMs, timeoutMs } from '../../src/consensus/pace.ts'

const params = DEFAULT_PARAMS

describe('round 0', () => {
  it('waits for the block interval when events wait', () => {
    expect(paceMoment(params, 100, 0)).toBe(1100)
    expect(paceMoment(params, 100, 900)).toBe(1100)
  })

  it('begins with the first event after that', () => {
    expect(paceMoment(params, 100, 2500)).toBe(2500)
  })

  it('begins without one after the empty interval', () => {
    expect(paceMoment(params, 100, undefined)).toBe(5100)
    expect(paceMoment(params, 100, 7000)).toBe(5100)
  })
})

it('timeouts grow by the delta each round', () => {
  expect([0, 1, 4].map((round) => timeoutMs(params, 'propose', round))).toEqual([1000, 1250, 2000])
  expect(timeoutMs(params, 'prevote', 2)).toBe(1000)
  expect(timeoutMs(params, 'precommit', 2)).toBe(1000)
  expect(roundMs(params, 0)).toBe(2000)
  // A timer that is asked for more fires at once.
  expect(timeoutMs({ ...params, timeoutDeltaMs: 600_000 }, 'propose', 2 ** 32 - 1)).toBe(2 ** 31 - 1)
})

it('a decided block is published by its proposer at once, by the others in the order after it', () => {
  expect([0, 1, 2, 3].map((self) => publicationDelay(self, 2, 4) / FINALIZED_RANK_DELAY_MS)).toEqual([2, 3, 0, 1])
})
