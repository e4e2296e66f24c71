import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_PARAMS, HEADER_AND_SEAL_BYTES } from '../../src/chain/params.ts'
import { BlockBudget } from '../../src/consensus/block-budget.ts'
import { runs } from '../support/runs.ts'

const EVENT_BYTES = 190

/** A block that went through in a round, `share` of it filled with what the budget allowed. */
function block(budget: BlockBudget, round: number, filled = 1) {
  const { maxEvents, maxBytes } = budget.at(round)
  const eventCount = Math.floor(filled * Math.min(maxEvents, maxBytes / EVENT_BYTES))
  return { header: { eventCount }, blockBytes: { byteLength: eventCount * EVENT_BYTES }, commit: { round } }
}

describe('what a fresh proposal may hold', () => {
  const outcome = fc.record({
    round: fc.nat(12),
    filled: fc.double({ min: 0, max: 1, noNaN: true }),
    elapsedMs: fc.option(fc.nat(5000), { nil: undefined })
  })
  const limits = fc
    .record({
      maxBlockBytes: fc.integer({ min: 4096, max: 2 << 20 }),
      maxBlockEvents: fc.integer({ min: 1, max: 20_000 }),
      eventBytes: fc.integer({ min: 1024, max: 256 << 10 })
    })
    .map(({ maxBlockBytes, maxBlockEvents, eventBytes }) => ({
      ...DEFAULT_PARAMS,
      maxBlockBytes,
      maxBlockEvents,
      maxEventBytes: Math.min(eventBytes, maxBlockBytes - 1024)
    }))

  it('is within the chain’s limits, has room for any one event, and is no more in a later round', () => {
    fc.assert(
      fc.property(limits, fc.array(outcome, { maxLength: 20 }), (params, history) => {
        const budget = new BlockBudget(params)
        for (const { round, filled, elapsedMs } of history) budget.learn(block(budget, round, filled), elapsedMs)
        let before = { maxEvents: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY }
        for (let round = 0; round < 40; round++) {
          const now = budget.at(round)
          expect(now.maxEvents).toBeGreaterThanOrEqual(1)
          expect(now.maxEvents).toBeLessThanOrEqual(Math.min(before.maxEvents, params.maxBlockEvents))
          expect(now.maxBytes).toBeGreaterThan(params.maxEventBytes)
          expect(now.maxBytes).toBeLessThanOrEqual(
            Math.min(before.maxBytes, params.maxBlockBytes - HEADER_AND_SEAL_BYTES)
          )
          before = now
        }
        const first = budget.at(0)
        // Half a round for each that failed, until it is so little that its size can't be why.
        expect(budget.at(1).maxEvents).toBeLessThanOrEqual(Math.max(first.maxEvents / 2, params.maxBlockEvents / 64, 1))
      }),
      runs(200)
    )
  })

  it('comes to all that the chain allows where all goes well, and stays there', () => {
    const budget = new BlockBudget(DEFAULT_PARAMS)
    let heights = 0
    for (; budget.share < 1; heights++) budget.learn(block(budget, 0), 300)
    expect(heights).toBeLessThan(10)
    budget.learn(block(budget, 0), 300)
    expect(budget.share).toBe(1)
  })

  it('is halved for each round that a filled block took, and a decision that took too long lowers it', () => {
    const budget = new BlockBudget(DEFAULT_PARAMS)
    for (let i = 0; i < 10; i++) budget.learn(block(budget, 0), 300)
    budget.learn(block(budget, 2), undefined)
    expect(budget.share).toBe(1 / 4)
    budget.learn(block(budget, 0), 700)
    expect(budget.share).toBe(1 / 4)
    budget.learn(block(budget, 0), 1200)
    expect(budget.share).toBeCloseTo(1 / 6)
  })

  it('is no more for a block that others decided, however often: this node was too slow for its votes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2), { maxLength: 20 }), (rounds) => {
        const budget = new BlockBudget(DEFAULT_PARAMS)
        for (const round of rounds) {
          const { share } = budget
          budget.learn(block(budget, round), undefined)
          expect(budget.share).toBe(Math.max(1 / 64, share / 2 ** round))
        }
      }),
      runs(200)
    )
  })

  it('is not lowered by rounds without a proposer while blocks are small, nor raised by small blocks', () => {
    const budget = new BlockBudget(DEFAULT_PARAMS)
    const { share } = budget
    for (let i = 0; i < 100; i++) budget.learn(block(budget, i % 7 === 0 ? 1 : 0, 0.2), 100)
    expect(budget.share).toBe(share)
  })

  it('keeps rounds few and blocks coming, whatever size the network can bear', () => {
    fc.assert(
      fc.property(fc.double({ min: 1 / 64, max: 1.5, noNaN: true }), fc.array(fc.nat(2)), (bears, jitter) => {
        // A network in which a round gets a block through if it is small enough for its timeouts, which grow by a quarter.
        const budget = new BlockBudget(DEFAULT_PARAMS)
        const capacity = bears * DEFAULT_PARAMS.maxBlockBytes
        let bytes = 0
        for (let height = 0; height < 100; height++) {
          const able = capacity * (1 - (jitter[height % (jitter.length || 1)] ?? 0) / 10)
          let round = 0
          while (block(budget, round).blockBytes.byteLength > able * (1 + round / 4)) round++
          // From its first block on: that is an eighth of what the chain allows.
          expect(round).toBeLessThanOrEqual(3)
          if (height > 20) expect(round).toBeLessThanOrEqual(1)
          const found = block(budget, round)
          bytes += found.blockBytes.byteLength
          budget.learn(found, (1000 * found.blockBytes.byteLength) / able)
        }
        expect(bytes / 100).toBeGreaterThan(Math.min(capacity, DEFAULT_PARAMS.maxBlockBytes) / 5)
      }),
      runs(200)
    )
  })
})
