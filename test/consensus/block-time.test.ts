import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_PROPOSAL_AHEAD_MS, proposalTime, timingOf } from '../../src/consensus/block-time.ts'
import { runs } from '../support/runs.ts'

const NOW = 1_700_000_000_000
const HOUR = 3_600_000
/** Of clocks and of chain time: right, a little off, or far off either way. */
const offset = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -3000, max: 3000 }),
  fc.integer({ min: -24 * HOUR, max: 24 * HOUR })
)

it('the proposed time is now, but always after the parent', () => {
  expect(proposalTime(5000.7, 100)).toBe(5000)
  expect(proposalTime(5000, 5000)).toBe(5001)
  expect(proposalTime(5000, 9000)).toBe(9001)
})

it('right is what is 2 s ahead at most, and the parent’s + 1', () => {
  expect(timingOf(NOW + 2000, NOW - 1, NOW)).toBe('near')
  expect(timingOf(NOW + 2001, NOW - 1, NOW)).toBe('ahead')
  expect(timingOf(NOW - HOUR, NOW - 2 * HOUR, NOW)).toBe('near')
  expect(timingOf(NOW + HOUR + 1, NOW + HOUR, NOW)).toBe('least')
  expect(timingOf(NOW + HOUR + 2, NOW + HOUR, NOW)).toBe('ahead')
})

it('whatever clocks and chain time are, all find right what the one furthest behind proposes', () => {
  fc.assert(
    fc.property(offset, fc.array(offset, { minLength: 1, maxLength: 10 }), (parent, clocks) => {
      const proposed = proposalTime(NOW + Math.min(...clocks), NOW + parent)
      for (const clock of clocks) expect(timingOf(proposed, NOW + parent, NOW + clock)).not.toBe('ahead')
    }),
    runs(500)
  )
})

describe('faulty proposers', () => {
  /** Heights with their proposer's choice, in ms from its now; undefined: an honest one's turn. A block a second or sooner. */
  const turn = fc.record({
    faulty: fc.option(fc.oneof(offset, fc.constant('least' as const)), { nil: undefined }),
    passes: fc.integer({ min: 1, max: 1000 })
  })

  /** Chain time after each height, from what honest clocks say then; `skew` is how far those differ. */
  function leads(turns: readonly { faulty: number | 'least' | undefined; passes: number }[], start: number): number[] {
    let now = NOW
    let parent = NOW + start
    return turns.map(({ faulty, passes }) => {
      now += passes
      const honest = proposalTime(now, parent)
      const wanted = faulty === undefined ? honest : faulty === 'least' ? parent + 1 : now + faulty
      // What honest validators refuse is not decided; the next round's proposer is honest in the end.
      const decided = wanted > parent && timingOf(wanted, parent, now) !== 'ahead' ? wanted : honest
      parent = decided
      return parent - now
    })
  }

  it('push chain time no further than 2 s ahead of honest clocks, and no further than it was', () => {
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 50 }), offset, (turns, start) => {
        const most = Math.max(start, MAX_PROPOSAL_AHEAD_MS)
        for (const lead of leads(turns, start)) expect(lead).toBeLessThanOrEqual(most)
      }),
      runs(300)
    )
  })

  it('hold it back for no longer than their own turns: an honest one brings it to its clock', () => {
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 50 }), offset, (turns, start) => {
        leads(turns, start).forEach((lead, at) => {
          if (turns[at]!.faulty === undefined) expect(lead).toBeGreaterThanOrEqual(0)
        })
      }),
      runs(300)
    )
  })
})
