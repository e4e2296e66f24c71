/** When the machine has peers asked, and for what. */
import { describe, expect, it } from 'vitest'
import { askAgainMs, askDelayMs, roundMs } from '../../src/consensus/pace.ts'
import { A, B, Bench, block, precommit, prevote, proposal } from './support/messages.ts'

const NIL = ''
const inRound = (round: number): Bench => {
  const bench = new Bench()
  bench.votes(prevote(round, 2, NIL), prevote(round, 3, NIL))
  expect(bench.machine.round).toBe(round)
  return bench
}

describe('the prevotes that a re-proposal rests on', () => {
  it('are asked for once a round when it comes, and are what is lacking until they are here', () => {
    const bench = inRound(2)
    bench.propose(proposal(2, A, 0), block(A))
    expect(bench.asked()).toEqual(['polka'])
    expect(bench.machine.lack()).toEqual({ round: 2, blocks: [], polkas: [{ round: 0, hash: A }] })
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, B))
    expect(bench.asked()).toEqual([])
    expect(bench.machine.lack().polkas).toEqual([{ round: 0, hash: A }])
    bench.votes(prevote(0, 0, A))
    expect(bench.signed()).toEqual([`PREVOTE 2 ${A}`])
    expect(bench.machine.lack().polkas).toEqual([])
  })

  it('are not asked for if they are held, nor for a fresh proposal', () => {
    const bench = inRound(2)
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    bench.give({ type: 'block', block: block(A) }, { type: 'proposal', proposal: proposal(2, A, 0) })
    expect(bench.asked()).toEqual([])
    const fresh = inRound(2)
    fresh.give({ type: 'block', block: block(B) }, { type: 'proposal', proposal: proposal(2, B) })
    expect(fresh.asked()).toEqual([])
  })

  it('are asked for again when the next round proposes it again', () => {
    const bench = inRound(2)
    bench.propose(proposal(2, A, 0), block(A))
    bench.propose(proposal(3, A, 0))
    expect(bench.asked()).not.toContain('polka')
    bench.timeout('precommit', 2)
    expect(bench.asked()).toEqual(['round', 'polka'])
  })
})

describe('the prevotes that a lock of somebody else rests on', () => {
  it('are asked for, once a round for each; with them the value is offered again', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.votes(prevote(0, 0, A), precommit(0, 0, NIL), precommit(0, 2, A), precommit(0, 3, NIL))
    expect(bench.asked()).toEqual([])
    bench.timeout('precommit', 0)
    expect(bench.asked()).toEqual(['round', 'polka'])
    expect(bench.machine.lack().polkas).toEqual([{ round: 0, hash: A }])
    bench.votes(prevote(0, 1, A))
    expect([bench.asked(), bench.of('set-valid')]).toEqual([[], []])
    bench.votes(prevote(0, 2, A))
    expect(bench.machine.valid).toEqual({ hash: A, round: 0 })
    expect(bench.of('set-valid')[0]?.keep.prevotes).toHaveLength(3)
    expect([bench.machine.locked, bench.machine.lack().polkas]).toEqual([undefined, []])
    bench.votes(prevote(3, 1, NIL), prevote(3, 2, NIL))
    expect(bench.of('propose')).toMatchObject([{ round: 3, valid: { hash: A, round: 0 } }])
  })

  it('of several are asked for in turn, the latest first; and none below what is offered', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.propose(proposal(1, B), block(B, { proposer: 2 }))
    bench.votes(precommit(0, 1, A), precommit(1, 2, B))
    bench.votes(prevote(2, 1, NIL), prevote(2, 2, NIL))
    const all = [
      { round: 1, hash: B },
      { round: 0, hash: A }
    ]
    expect(bench.machine.lack().polkas).toEqual(all)
    bench.votes(prevote(1, 1, B), prevote(1, 2, B), prevote(1, 3, B))
    expect(bench.machine.valid).toEqual({ hash: B, round: 1 })
    expect(bench.machine.lack().polkas).toEqual([])
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    expect(bench.machine.valid).toEqual({ hash: B, round: 1 })
  })

  it('are no reason to offer a block that is not held or not valid', () => {
    const bench = inRound(2)
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    expect(bench.machine.valid).toBeUndefined()
    bench.give({ type: 'block', block: block(A, { valid: false }) })
    expect(bench.machine.valid).toBeUndefined()
    bench.votes(prevote(1, 1, B), prevote(1, 2, B), prevote(1, 3, B))
    bench.give({ type: 'block', block: block(B) })
    expect(bench.machine.valid).toEqual({ hash: B, round: 1 })
  })
})

describe('a block', () => {
  it('that is named is asked for once, and not while it is held and looked at', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A))
    expect([bench.asked(), bench.machine.lack().blocks]).toEqual([['block'], [A]])
    bench.give({ type: 'block-held', hash: A })
    expect([bench.asked(), bench.machine.lack().blocks]).toEqual([[], []])
    bench.votes(precommit(0, 1, A), precommit(0, 2, A), precommit(0, 3, A))
    expect([bench.asked(), bench.machine.lack().blocks]).toEqual([[], []])
  })

  it('that came with its proposal is not asked for', () => {
    const bench = new Bench()
    bench.give({ type: 'block-held', hash: A }, { type: 'proposal', proposal: proposal(0, A) })
    expect(bench.asked()).toEqual([])
    bench.give({ type: 'block', block: block(A) })
    expect(bench.signed()).toEqual([`PREVOTE 0 ${A}`])
  })

  it('that was lost is asked for: nothing could be found out of it', () => {
    const bench = new Bench()
    bench.give({ type: 'block-held', hash: A }, { type: 'proposal', proposal: proposal(0, A) })
    bench.give({ type: 'block-lost', hash: A })
    expect([bench.asked(), bench.machine.lack().blocks]).toEqual([['block'], [A]])
    // Not without end within one round: it may be what threads die of.
    bench.give({ type: 'block-held', hash: A }, { type: 'block-lost', hash: A })
    expect([bench.asked(), bench.machine.lack().blocks]).toEqual([[], [A]])
    bench.give({ type: 'block-held', hash: A }, { type: 'block', block: block(A) })
    expect(bench.signed()).toEqual([`PREVOTE 0 ${A}`])
  })

  it('that is known is not lost by a second copy', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.give({ type: 'block-lost', hash: A })
    expect(bench.machine.book.block(A)).toBeDefined()
  })
})

describe('a validator that is ahead', () => {
  it('is a reason to ask, once a round for each', () => {
    const bench = new Bench({ size: 7 })
    bench.votes(prevote(3, 1, A))
    expect(bench.asked()).toEqual(['ahead'])
    bench.votes(prevote(4, 1, A), precommit(4, 1, A))
    expect(bench.asked()).toEqual([])
    bench.votes(prevote(2, 2, A))
    expect(bench.asked()).toEqual(['ahead'])
    bench.timeout('precommit', 0)
    expect(bench.asked()).toEqual(['round', 'ahead', 'ahead'])
  })

  it('is none if it took us along, or is too far', () => {
    const bench = new Bench()
    bench.votes(prevote(0, 1, A), precommit(0, 1, NIL), prevote(2000, 1, A))
    expect(bench.asked()).toEqual([])
    bench.votes(prevote(3, 1, A), prevote(3, 2, A))
    expect(bench.asked()).toEqual(['ahead', 'round'])
  })

  it('is asked about a little later: what made it so is on its way', () => {
    expect(askDelayMs('ahead')).toBeGreaterThan(0)
    expect((['round', 'polka', 'block', 'stalled'] as const).map(askDelayMs)).toEqual([0, 0, 0, 0])
  })
})

describe('a step of which nothing comes', () => {
  it('has peers asked again and again', () => {
    const bench = new Bench({ started: false })
    expect(bench.machine.start(bench.now)).toContainEqual({ type: 'ask-after', round: 0, step: 'propose', asked: 0 })
    for (const asked of [1, 2, 3]) {
      bench.give({ type: 'ask-due' })
      expect(bench.asked()).toEqual(['stalled'])
      expect(bench.of('ask-after')).toEqual([{ type: 'ask-after', round: 0, step: 'propose', asked }])
    }
    bench.votes(prevote(0, 1, NIL))
    expect(bench.of('ask-after')).toEqual([])
    bench.timeout('propose', 0)
    expect(bench.of('ask-after')).toEqual([{ type: 'ask-after', round: 0, step: 'prevote', asked: 0 }])
    bench.timeout('prevote', 0)
    bench.timeout('precommit', 0)
    expect(bench.of('ask-after')).toEqual([{ type: 'ask-after', round: 1, step: 'propose', asked: 0 }])
  })

  it('is nothing to ask about once the height is decided', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.votes(precommit(0, 1, A), precommit(0, 2, A), precommit(0, 3, A))
    expect(bench.of('ask-after')).toEqual([])
    expect(bench.give({ type: 'ask-due' })).toEqual([])
  })

  it('takes as long as the step, and twice as long after each time in vain, up to a round', () => {
    const params = { timeoutProposeMs: 1000, timeoutPrevoteMs: 500, timeoutPrecommitMs: 400, timeoutDeltaMs: 100 }
    const waits = (step: 'propose' | 'prevote' | 'precommit', round: number) =>
      [0, 1, 2, 3, 1000].map((asked) => askAgainMs(params, step, round, asked))
    expect(waits('propose', 0)).toEqual([1000, 1900, 1900, 1900, 1900])
    expect(waits('prevote', 0)).toEqual([500, 1000, 1900, 1900, 1900])
    expect(waits('precommit', 2)).toEqual([600, 1200, 2400, 2500, 2500])
    expect(roundMs(params, 2)).toBe(2500)
    expect(waits('propose', 1000)).toEqual([10_000, 10_000, 10_000, 10_000, 10_000])
  })
})
