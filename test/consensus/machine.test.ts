import { describe, expect, it } from 'vitest'
import type { Restored } from '../../src/consensus/types.ts'
import { A, B, Bench, block, HEIGHT, hashOf, NOW, precommit, prevote, proposal } from './support/messages.ts'

// Four validators, q = 3, f = 1. Height 5: proposer of round r is validator (5 + r) mod 4, so 1, 2, 3, 0, 1, …
const NIL = ''
const lockedOnA = (): Bench => {
  const bench = new Bench()
  bench.propose(proposal(0, A), block(A))
  bench.votes(prevote(0, 0, A), prevote(0, 1, A), prevote(0, 2, A))
  expect(bench.machine.locked).toEqual({ hash: A, round: 0 })
  return bench
}
const inRound = (bench: Bench, round: number): Bench => {
  bench.votes(prevote(round, 2, NIL), prevote(round, 3, NIL))
  expect(bench.machine.round).toBe(round)
  return bench
}

describe('rule 1, start of a round', () => {
  it('the proposer proposes a new block, the others start the propose timeout', () => {
    const proposer = new Bench({ self: 1 })
    expect(proposer.of('propose')).toEqual([{ type: 'propose', round: 0, valid: undefined, entry: [] }])
    expect(proposer.of('schedule')).toEqual([])
    const other = new Bench({ self: 0 })
    expect(other.of('propose')).toEqual([])
    expect(other.of('schedule')).toEqual([{ type: 'schedule', kind: 'propose', round: 0 }])
  })

  it('the proposer offers its valid value again', () => {
    const bench = lockedOnA()
    bench.timeout('precommit', 0)
    bench.timeout('precommit', 1)
    bench.timeout('precommit', 2)
    expect(bench.of('propose')).toMatchObject([{ type: 'propose', round: 3, valid: { hash: A, round: 0 } }])
  })

  it('asks for votes on entering a round above 0, and only there', () => {
    const bench = new Bench()
    expect(bench.asked()).toEqual([])
    bench.timeout('precommit', 0)
    expect(bench.asked()).toEqual(['round'])
  })

  it('prevotes nil when its own block cannot be made', () => {
    const bench = new Bench({ self: 1 })
    bench.give({ type: 'proposal-failed', round: 0 })
    expect(bench.signed()).toEqual(['PREVOTE 0 nil'])
  })

  it('an observer neither proposes nor signs', () => {
    const bench = new Bench({ self: -1 })
    bench.propose(proposal(0, A), block(A))
    bench.votes(prevote(0, 0, A), prevote(0, 1, A), prevote(0, 2, A))
    expect(bench.of('sign')).toEqual([])
    expect(bench.of('set-valid')).toEqual([])
    expect(bench.machine.step).toBe('precommit')
    for (let round = 0; round < 4; round++) {
      bench.timeout('precommit', round)
      expect(bench.of('propose')).toEqual([])
    }
  })
})

describe('rule 2, a fresh proposal', () => {
  it('is prevoted if it is valid', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    expect(bench.signed()).toEqual([`PREVOTE 0 ${A}`])
  })

  it('waits for its validation', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A))
    expect(bench.signed()).toEqual([])
    bench.give({ type: 'block', block: block(A) })
    expect(bench.signed()).toEqual([`PREVOTE 0 ${A}`])
  })

  it.each([
    ['it is invalid', block(A, { valid: false })],
    ['its header is by another proposer than the round has', block(A, { proposer: 2 })],
    ['its time is more than 2 s ahead of our clock', block(A, { timestamp: NOW + 2001 })]
  ])('gets nil if %s', (_, facts) => {
    const bench = new Bench()
    bench.propose(proposal(0, A), facts)
    expect(bench.signed()).toEqual(['PREVOTE 0 nil'])
  })

  it('may be 2 s ahead of our clock', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A, { timestamp: NOW + 2000 }))
    expect(bench.signed()).toEqual([`PREVOTE 0 ${A}`])
  })

  it('may be as far ahead as it likes where its proposer had no lower choice: it is the parent’s time + 1', () => {
    const parentTimestamp = NOW + 3_600_000
    const bench = new Bench({ parentTimestamp })
    bench.propose(proposal(0, A), block(A, { timestamp: parentTimestamp + 1 }))
    expect(bench.signed()).toEqual([`PREVOTE 0 ${A}`])
    const further = new Bench({ parentTimestamp })
    further.propose(proposal(0, A), block(A, { timestamp: parentTimestamp + 2 }))
    expect(further.signed()).toEqual(['PREVOTE 0 nil'])
  })

  it('of another validator shows its clock', () => {
    const shown = (timestamp: number, parentTimestamp?: number): unknown => {
      const bench = new Bench(parentTimestamp === undefined ? {} : { parentTimestamp })
      bench.propose(proposal(0, A), block(A, { timestamp }))
      return bench.of('timed')
    }
    const timed = { type: 'timed', proposer: 1, now: NOW }
    expect(shown(NOW + 2000)).toEqual([{ ...timed, timestamp: NOW + 2000, timing: 'near' }])
    expect(shown(NOW + 2001)).toEqual([{ ...timed, timestamp: NOW + 2001, timing: 'ahead' }])
    expect(shown(NOW + 9001, NOW + 9000)).toEqual([{ ...timed, timestamp: NOW + 9001, timing: 'least' }])
    const own = new Bench({ self: 1 })
    own.propose(proposal(0, A), block(A))
    const again = inRound(new Bench(), 2)
    again.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    again.propose(proposal(2, A, 0), block(A))
    expect([...own.of('timed'), ...again.of('timed')]).toEqual([])
  })

  it('gets nil if we are locked on another, and its vote if we are locked on it', () => {
    const bench = inRound(lockedOnA(), 1)
    bench.propose(proposal(1, B), block(B, { proposer: 2 }))
    expect(bench.signed()).toEqual(['PREVOTE 1 nil'])
    const same = inRound(lockedOnA(), 4)
    same.propose(proposal(4, A))
    expect(same.signed()).toEqual([`PREVOTE 4 ${A}`])
  })

  it('is not looked at once the step has passed', () => {
    const bench = new Bench()
    bench.timeout('propose', 0)
    bench.propose(proposal(0, A), block(A))
    expect(bench.signed()).toEqual([])
  })
})

describe('rule 3, a re-proposal', () => {
  it('waits for q prevotes of its valid round, then is prevoted', () => {
    const bench = inRound(new Bench(), 2)
    bench.propose(proposal(2, A, 0), block(A))
    bench.votes(prevote(0, 1, A), prevote(0, 2, A))
    expect(bench.signed()).toEqual([])
    bench.votes(prevote(0, 3, A))
    expect(bench.signed()).toEqual([`PREVOTE 2 ${A}`])
  })

  it('counts no prevotes of another round or for another block', () => {
    const bench = inRound(new Bench(), 2)
    bench.propose(proposal(2, A, 0), block(A))
    bench.votes(prevote(1, 1, A), prevote(1, 2, A), prevote(1, 3, A))
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, B))
    expect(bench.signed()).toEqual([])
  })

  it('unlocks who is locked in its valid round or before', () => {
    const bench = inRound(lockedOnA(), 2)
    bench.propose(proposal(2, B, 1), block(B))
    bench.votes(prevote(1, 1, B), prevote(1, 2, B), prevote(1, 3, B))
    expect(bench.signed()).toEqual([`PREVOTE 2 ${B}`])
  })

  it('… also in that very round', () => {
    const bench = inRound(new Bench(), 1)
    bench.propose(proposal(1, A), block(A, { proposer: 2 }))
    bench.votes(prevote(1, 0, A), prevote(1, 1, A), prevote(1, 2, A))
    expect(bench.machine.locked).toEqual({ hash: A, round: 1 })
    inRound(bench, 2)
    bench.propose(proposal(2, B, 1), block(B))
    // Two validators prevoted both, which is more than f: the rule is about rounds, whatever led there.
    bench.votes(prevote(1, 1, B), prevote(1, 2, B), prevote(1, 3, B))
    expect(bench.signed()).toEqual([`PREVOTE 2 ${B}`])
  })

  it('gets nil from who is locked on another later', () => {
    const bench = new Bench()
    inRound(bench, 1)
    bench.propose(proposal(1, A), block(A, { proposer: 2 }))
    bench.votes(prevote(1, 0, A), prevote(1, 1, A), prevote(1, 2, A))
    expect(bench.machine.locked?.round).toBe(1)
    inRound(bench, 2)
    bench.propose(proposal(2, B, 0), block(B))
    bench.votes(prevote(0, 1, B), prevote(0, 2, B), prevote(0, 3, B))
    expect(bench.signed()).toEqual(['PREVOTE 2 nil'])
  })

  it('may be by anybody: the header keeps its first proposer', () => {
    const bench = inRound(new Bench(), 2)
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    bench.propose(proposal(2, A, 0), block(A, { proposer: 1, timestamp: NOW + 60_000 }))
    expect(bench.signed()).toEqual([`PREVOTE 2 ${A}`])
  })

  it('with a valid round that is no earlier one is none', () => {
    const bench = new Bench()
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    bench.propose(proposal(0, A, 0), block(A))
    expect(bench.signed()).toEqual([])
    expect(bench.machine.book.proposals.get(0)).toBeUndefined()
  })
})

describe('rule 4, the prevote timeout', () => {
  it('starts once, with q prevotes of any kind, in step prevote', () => {
    const bench = new Bench()
    bench.votes(prevote(0, 1, A), prevote(0, 2, B), prevote(0, 3, NIL))
    expect(bench.of('schedule')).toEqual([])
    bench.timeout('propose', 0)
    expect(bench.of('schedule')).toEqual([{ type: 'schedule', kind: 'prevote', round: 0 }])
    bench.votes(prevote(0, 0, NIL))
    expect(bench.of('schedule')).toEqual([])
  })

  it('starts again in each round', () => {
    const bench = new Bench()
    for (const round of [0, 1]) {
      bench.timeout('propose', round)
      bench.votes(prevote(round, 1, A), prevote(round, 2, B), prevote(round, 3, NIL))
      expect(bench.of('schedule')).toEqual([{ type: 'schedule', kind: 'prevote', round }])
      bench.timeout('precommit', round)
    }
  })

  it('does not take an equivocator for two', () => {
    const bench = new Bench()
    bench.timeout('propose', 0)
    bench.votes(prevote(0, 1, A), prevote(0, 1, B), prevote(0, 2, NIL))
    expect(bench.of('schedule')).toEqual([])
  })
})

describe('rule 5, q prevotes for a block', () => {
  it('locks it, precommits it, keeps it with its proof', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    const proof = [prevote(0, 0, A), prevote(0, 1, A), prevote(0, 2, A)]
    bench.votes(...proof)
    expect(bench.signed()).toEqual([`PRECOMMIT 0 ${A}`])
    expect(bench.of('sign')[0]?.keep).toEqual({ hash: A, round: 0, prevotes: proof.map((held) => held.vote) })
    expect(bench.machine.locked).toEqual({ hash: A, round: 0 })
    expect(bench.machine.valid).toEqual({ hash: A, round: 0 })
  })

  it('waits for our own prevote', () => {
    const bench = new Bench()
    bench.give({ type: 'block', block: block(A) })
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    expect(bench.signed()).toEqual([])
    expect(bench.machine.locked).toBeUndefined()
    bench.timeout('propose', 0)
    expect(bench.signed()).toEqual(['PREVOTE 0 nil', `PRECOMMIT 0 ${A}`])
  })

  it('locks again in a later round', () => {
    const bench = inRound(lockedOnA(), 4)
    bench.propose(proposal(4, A, 0))
    bench.votes(prevote(4, 0, A), prevote(4, 1, A), prevote(4, 2, A))
    expect(bench.machine.locked).toEqual({ hash: A, round: 4 })
    expect(bench.machine.valid).toEqual({ hash: A, round: 4 })
  })

  it('an observer keeps nothing of it', () => {
    const bench = new Bench({ self: -1 })
    bench.propose(proposal(0, A), block(A))
    bench.votes(prevote(0, 1, NIL), prevote(0, 2, NIL), prevote(0, 3, NIL))
    bench.votes(prevote(0, 0, A), prevote(0, 1, A), prevote(0, 2, A))
    expect(bench.machine.valid).toEqual({ hash: A, round: 0 })
    expect(bench.of('set-valid')).toEqual([])
  })

  it('only sets the valid value in step precommit, once', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.votes(prevote(0, 1, NIL), prevote(0, 2, NIL), prevote(0, 3, NIL))
    expect(bench.signed()).toEqual(['PRECOMMIT 0 nil'])
    // Two of three equivocate: more than f, which only shows that what counts is the set of votes.
    bench.votes(prevote(0, 0, A), prevote(0, 1, A), prevote(0, 2, A))
    expect(bench.of('set-valid').map(({ keep }) => keep.hash)).toEqual([A])
    expect(bench.machine.locked).toBeUndefined()
    expect(bench.machine.valid).toEqual({ hash: A, round: 0 })
    bench.votes(prevote(0, 3, A))
    expect(bench.of('set-valid')).toEqual([])
  })

  it('never precommits a block that is not held: asks for it and lets the timeout pass', () => {
    const bench = new Bench()
    bench.timeout('propose', 0)
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    expect(bench.asked()).toEqual(['block'])
    expect(bench.machine.lack().blocks).toEqual([A])
    expect(bench.signed()).toEqual([])
    bench.timeout('prevote', 0)
    expect(bench.signed()).toEqual(['PRECOMMIT 0 nil'])
  })

  it('takes the block that q votes name though another proposal of the round is held', () => {
    const bench = new Bench()
    bench.propose(proposal(0, B), block(B))
    expect(bench.signed()).toEqual([`PREVOTE 0 ${B}`])
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    expect(bench.asked()).toEqual(['block'])
    expect(bench.machine.lack().blocks).toEqual([A])
    bench.give({ type: 'block', block: block(A) })
    expect(bench.signed()).toEqual([`PRECOMMIT 0 ${A}`])
  })

  it('q prevotes for a block that nobody can have hide no other', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.votes(...[1, 2, 3].map((validator) => prevote(0, validator, hashOf('nobody has it'))))
    bench.votes(prevote(0, 0, A), prevote(0, 1, A), prevote(0, 2, A))
    expect(bench.signed()).toEqual([`PRECOMMIT 0 ${A}`])
  })

  it('does not follow q prevotes for a block that it finds invalid, and says so', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A, { valid: false }))
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    expect(bench.signed()).toEqual([])
    expect(bench.of('contradiction')).toEqual([{ type: 'contradiction', hash: A, round: 0 }])
  })

  it('locks by those of the current round alone', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    inRound(bench, 1)
    bench.votes(prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A))
    bench.timeout('propose', 1)
    expect(bench.machine.locked).toBeUndefined()
    // What they name may be offered again: rule 11.
    expect(bench.machine.valid).toEqual({ hash: A, round: 0 })
  })
})

describe('rule 6, q nil prevotes', () => {
  it('gets a nil precommit and keeps the lock', () => {
    const bench = inRound(lockedOnA(), 1)
    bench.timeout('propose', 1)
    bench.votes(prevote(1, 1, NIL))
    expect(bench.signed()).toEqual(['PRECOMMIT 1 nil'])
    expect(bench.machine.locked).toEqual({ hash: A, round: 0 })
  })

  it('not before step prevote', () => {
    const bench = new Bench()
    bench.votes(prevote(0, 1, NIL), prevote(0, 2, NIL), prevote(0, 3, NIL))
    expect(bench.signed()).toEqual([])
  })
})

describe('rule 7, the precommit timeout', () => {
  it('starts once, with q precommits of any kind, in any step', () => {
    const bench = new Bench()
    bench.votes(precommit(0, 1, A), precommit(0, 2, NIL))
    expect(bench.of('schedule')).toEqual([])
    bench.votes(precommit(0, 3, B))
    expect(bench.of('schedule')).toEqual([{ type: 'schedule', kind: 'precommit', round: 0 }])
    bench.votes(precommit(0, 0, NIL))
    expect(bench.of('schedule')).toEqual([])
  })
})

describe('rule 8, decision', () => {
  const q = (round: number): Parameters<Bench['votes']> => [
    precommit(round, 1, A),
    precommit(round, 2, A),
    precommit(round, 3, A)
  ]

  it('takes q precommits of one round for a held block', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.votes(...q(0))
    const [decision] = bench.of('decide')
    expect(decision).toMatchObject({ hash: A, round: 0 })
    expect(decision?.precommits).toEqual(q(0).map((held) => held.vote))
    expect(bench.machine.decided).toBe(true)
    expect(bench.votes(precommit(0, 0, A))).toEqual([])
  })

  it('does not add up precommits of different rounds', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.votes(precommit(0, 1, A), precommit(0, 2, A), precommit(1, 3, A))
    expect(bench.machine.decided).toBe(false)
  })

  it('takes those of an earlier round, and of a later one', () => {
    const late = inRound(new Bench(), 3)
    late.propose(proposal(0, A), block(A))
    late.votes(...q(0))
    expect(late.of('decide')).toMatchObject([{ round: 0 }])
    const soon = new Bench()
    soon.propose(proposal(0, A), block(A))
    soon.votes(...q(7))
    expect(soon.of('decide')).toMatchObject([{ round: 7 }])
  })

  it('asks for the block if it is missing, and decides when it comes', () => {
    const bench = new Bench()
    bench.votes(...q(0))
    expect(bench.asked()).toEqual(['block'])
    expect(bench.machine.lack().blocks).toEqual([A])
    bench.give({ type: 'block', block: block(A) })
    expect(bench.machine.decided).toBe(true)
  })

  it('a quorum for a block that nobody can have hides no other, of that round or another', () => {
    const nobodys = hashOf('nobody has it')
    for (const [first, second] of [
      [0, 0],
      [0, 2],
      [2, 0]
    ] as const) {
      const bench = new Bench()
      bench.votes(...[1, 2, 3].map((validator) => precommit(first, validator, nobodys)))
      bench.votes(...[1, 2, 3].map((validator) => precommit(second, validator, A)))
      expect(bench.asked()).toContain('block')
      expect(bench.machine.lack().blocks).toEqual(first <= second ? [nobodys, A] : [A, nobodys])
      bench.give({ type: 'block', block: block(A) })
      expect(bench.of('decide')).toMatchObject([{ hash: A, round: second }])
    }
  })

  it('nor does one for a block that it finds invalid', () => {
    const bench = new Bench()
    bench.propose(proposal(0, B), block(B, { valid: false }))
    bench.votes(...[1, 2, 3].map((validator) => precommit(0, validator, B)))
    bench.give({ type: 'block', block: block(A) })
    bench.votes(...q(1))
    expect(bench.of('decide')).toMatchObject([{ hash: A, round: 1 }])
  })

  it('never decides a block that it finds invalid', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A, { valid: false }))
    bench.votes(...q(0))
    expect(bench.machine.decided).toBe(false)
    expect(bench.of('contradiction')).toHaveLength(1)
  })

  it('never decides nil', () => {
    const bench = new Bench()
    bench.votes(precommit(0, 1, NIL), precommit(0, 2, NIL), precommit(0, 3, NIL))
    expect(bench.machine.decided).toBe(false)
  })

  it('of one validator alone needs only its own votes', () => {
    const bench = new Bench({ size: 1, self: 0 })
    bench.propose(proposal(0, A), block(A, { proposer: 0 }))
    expect(bench.signed()).toEqual([`PREVOTE 0 ${A}`])
    bench.votes(prevote(0, 0, A))
    expect(bench.signed()).toEqual([`PRECOMMIT 0 ${A}`])
    bench.votes(precommit(0, 0, A))
    expect(bench.machine.decided).toBe(true)
  })
})

describe('rule 9, round skip', () => {
  it('goes to the largest round in which, or above which, f+1 validators have signed', () => {
    const bench = new Bench()
    bench.votes(prevote(9, 1, NIL))
    expect(bench.machine.round).toBe(0)
    bench.votes(precommit(6, 2, NIL))
    expect(bench.machine.round).toBe(6)
    expect(bench.of('round')).toEqual([{ type: 'round', round: 6 }])
    expect(bench.of('schedule')).toEqual([{ type: 'schedule', kind: 'propose', round: 6 }])
  })

  it('one validator alone cannot move us', () => {
    const bench = new Bench()
    bench.votes(prevote(9, 1, NIL), precommit(9, 1, NIL), prevote(10, 1, NIL))
    expect(bench.machine.round).toBe(0)
  })

  it('counts a proposal as signed', () => {
    const bench = new Bench()
    bench.propose(proposal(1, A))
    bench.votes(prevote(1, 3, NIL))
    expect(bench.machine.round).toBe(1)
  })

  it('ignores rounds above r+1000', () => {
    const bench = new Bench()
    bench.votes(prevote(1001, 1, NIL), prevote(1001, 2, NIL))
    expect(bench.machine.round).toBe(0)
    bench.votes(prevote(1000, 1, NIL), prevote(1000, 2, NIL))
    expect(bench.machine.round).toBe(1000)
  })

  it('finds the votes of the round that it skipped to', () => {
    const bench = new Bench()
    bench.votes(prevote(5, 1, A), prevote(5, 2, A), prevote(5, 3, A))
    bench.propose(proposal(5, A), block(A, { proposer: 2 }))
    expect(bench.signed()).toEqual([`PREVOTE 5 ${A}`, `PRECOMMIT 5 ${A}`])
  })
})

describe('rule 10, timeouts', () => {
  it('propose: nil prevote; prevote: nil precommit; precommit: next round', () => {
    const bench = new Bench()
    bench.timeout('propose', 0)
    expect(bench.signed()).toEqual(['PREVOTE 0 nil'])
    bench.timeout('prevote', 0)
    expect(bench.signed()).toEqual(['PRECOMMIT 0 nil'])
    bench.timeout('precommit', 0)
    expect(bench.of('round')).toEqual([{ type: 'round', round: 1 }])
  })

  it('mean nothing in another step or round', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    expect(bench.timeout('propose', 0)).toEqual([])
    bench.votes(prevote(0, 0, A), prevote(0, 1, A), prevote(0, 2, A))
    expect(bench.machine.step).toBe('precommit')
    expect(bench.timeout('prevote', 0)).toEqual([])
    bench.timeout('precommit', 0)
    expect(bench.timeout('precommit', 0)).toEqual([])
    expect(bench.timeout('propose', 0)).toEqual([])
    expect(bench.machine.round).toBe(1)
  })
})

describe('equivocation', () => {
  it('of votes is evidence once for each validator and type', () => {
    const bench = new Bench()
    const first = prevote(0, 1, A)
    const second = prevote(0, 1, B)
    bench.votes(first, second)
    expect(bench.of('evidence').map(({ accusation }) => accusation)).toEqual([
      { kind: 'votes', validator: 1, first: first.vote, second: second.vote }
    ])
    bench.votes(prevote(1, 1, A), prevote(1, 1, B), prevote(0, 1, NIL))
    expect(bench.of('evidence')).toEqual([])
    bench.votes(precommit(0, 1, A), precommit(0, 1, NIL))
    expect(bench.of('evidence')).toHaveLength(1)
  })

  it('of votes far ahead is seen too', () => {
    const bench = new Bench()
    bench.votes(prevote(50, 1, A), prevote(50, 1, B))
    expect(bench.of('evidence')).toHaveLength(1)
  })

  it('is not: the same vote twice, another type, another round', () => {
    const bench = new Bench()
    bench.votes(prevote(0, 1, A), prevote(0, 1, A), precommit(0, 1, B), prevote(1, 1, B))
    expect(bench.of('evidence')).toEqual([])
  })

  it('of proposals is evidence, and the first is the one voted on', () => {
    const bench = new Bench()
    const first = proposal(0, A)
    const second = proposal(0, B)
    bench.propose(first)
    bench.propose(second, block(B))
    expect(bench.of('evidence').map(({ accusation }) => accusation)).toEqual([
      { kind: 'proposals', validator: 1, first: first.proposal, second: second.proposal }
    ])
    expect(bench.signed()).toEqual([])
    bench.give({ type: 'block', block: block(A) })
    expect(bench.signed()).toEqual([`PREVOTE 0 ${A}`])
  })

  it('of proposals is the same block with another valid round', () => {
    const bench = inRound(new Bench(), 2)
    bench.propose(proposal(2, A, 0))
    bench.propose(proposal(2, A, 1))
    expect(bench.of('evidence')).toHaveLength(1)
  })

  it('does not hide the votes that others need: each of the two counts for its block', () => {
    const bench = inRound(new Bench(), 2)
    bench.votes(prevote(0, 0, A), prevote(0, 1, A), prevote(0, 3, B))
    bench.propose(proposal(2, A, 0), block(A))
    bench.votes(prevote(0, 3, A))
    expect(bench.signed()).toEqual([`PREVOTE 2 ${A}`])
  })
})

it('of one that signs many things the vote for what was proposed counts', () => {
  const bench = new Bench()
  bench.propose(proposal(0, A), block(A))
  bench.votes(prevote(0, 1, B), prevote(0, 1, hashOf('C')), prevote(0, 1, hashOf('D')), prevote(0, 1, A))
  bench.votes(prevote(0, 0, A), prevote(0, 2, A))
  expect(bench.machine.locked).toEqual({ hash: A, round: 0 })
})

describe('restart', () => {
  const restored = (state: Partial<Restored>): Restored => ({
    round: 0,
    step: 'propose',
    locked: undefined,
    valid: undefined,
    votes: [],
    proposals: [],
    blocks: [],
    ...state
  })

  it('resumes at the last round and step and signs nothing there again', () => {
    const bench = new Bench({ restored: restored({ round: 2, step: 'prevote', votes: [prevote(2, 0, A)] }) })
    expect(bench.machine).toMatchObject({ round: 2, step: 'prevote' })
    expect(bench.signed()).toEqual([])
    bench.propose(proposal(2, B), block(B, { proposer: 3 }))
    expect(bench.signed()).toEqual([])
    expect(bench.timeout('propose', 2)).toEqual([])
  })

  it('keeps the lock, and offers the valid value with its proof when its turn comes', () => {
    const votes = [prevote(0, 0, A), prevote(0, 1, A), prevote(0, 2, A), precommit(0, 0, A)]
    const pledge = { hash: A, round: 0 }
    const state = restored({ step: 'precommit', votes, locked: pledge, valid: pledge, blocks: [block(A)] })
    const bench = new Bench({ restored: state })
    bench.timeout('precommit', 0)
    bench.propose(proposal(1, B), block(B, { proposer: 2 }))
    expect(bench.signed()).toEqual(['PREVOTE 1 nil'])
    bench.timeout('precommit', 1)
    bench.timeout('precommit', 2)
    expect(bench.of('propose')).toMatchObject([{ type: 'propose', round: 3, valid: pledge }])
    bench.propose(proposal(3, A, 0))
    expect(bench.signed()).toEqual([`PREVOTE 3 ${A}`])
  })

  it('offers a valid value of an earlier round again', () => {
    const votes = [prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, A), prevote(2, 0, NIL), precommit(2, 0, NIL)]
    const valid = { hash: A, round: 0 }
    const bench = new Bench({ restored: restored({ round: 2, step: 'precommit', votes, valid, blocks: [block(A)] }) })
    bench.timeout('precommit', 2)
    expect(bench.of('propose')).toMatchObject([{ round: 3, valid }])
  })

  it('re-evaluates: votes that it holds again arm the timeouts and decide', () => {
    const votes = [precommit(0, 0, A)]
    const bench = new Bench({ restored: restored({ step: 'precommit', votes, blocks: [block(A)] }) })
    bench.votes(precommit(0, 1, A), precommit(0, 2, NIL))
    expect(bench.of('schedule')).toEqual([{ type: 'schedule', kind: 'precommit', round: 0 }])
    bench.votes(precommit(0, 3, A))
    expect(bench.machine.decided).toBe(true)
  })

  it('a proposer votes on the proposal that it signed before', () => {
    const state = restored({ proposals: [proposal(0, A)], blocks: [block(A)] })
    const bench = new Bench({ self: 1, restored: state })
    expect(bench.of('propose')).toEqual([])
    expect(bench.signed()).toEqual([`PREVOTE 0 ${A}`])
  })

  it('what is signed in a round brings the votes that led into it: precommits of the round before', () => {
    const bench = new Bench()
    const precommits = [precommit(0, 1, NIL), precommit(0, 2, A), precommit(0, 3, NIL)]
    bench.votes(...precommits)
    bench.timeout('precommit', 0)
    bench.timeout('propose', 1)
    expect(bench.of('sign')[0]?.entry).toEqual(precommits.map((held) => held.vote))
  })

  it('… or votes of f+1 validators in that round or above', () => {
    const bench = new Bench({ self: 0 })
    const votes = [prevote(9, 1, NIL), prevote(7, 2, NIL)]
    bench.votes(...votes)
    expect(bench.machine.round).toBe(7)
    bench.timeout('propose', 7)
    expect(bench.of('sign')[0]?.entry).toEqual(votes.map((held) => held.vote))
    const proposer = new Bench({ self: 0 })
    const ahead = [prevote(3, 1, NIL), precommit(3, 2, NIL)]
    proposer.votes(...ahead)
    expect(proposer.of('propose')).toMatchObject([{ round: 3, entry: ahead.map((held) => held.vote) }])
  })

  it('waits for a proposal again if it had only entered the round', () => {
    const bench = new Bench({ restored: restored({}) })
    expect(bench.of('schedule')).toEqual([{ type: 'schedule', kind: 'propose', round: 0 }])
  })

  it('an own proposal without the prevotes that it rests on, or without its block, has its time like any other', () => {
    const resting = [1, 2, 3].map((validator) => prevote(0, validator, A))
    for (const lost of [{ blocks: [block(A)] }, { votes: resting }]) {
      const bench = new Bench({ restored: restored({ round: 3, proposals: [proposal(3, A, 0)], ...lost }) })
      expect(bench.of('propose')).toEqual([])
      expect(bench.of('schedule')).toEqual([{ type: 'schedule', kind: 'propose', round: 3 }])
      bench.timeout('propose', 3)
      expect(bench.signed()).toEqual(['PREVOTE 3 nil'])
    }
  })

  it('comes by the prevotes for a valid value into their round, and takes it in a later one', () => {
    const votes = [1, 2, 3].map((validator) => prevote(2, validator, A))
    const valid = { hash: A, round: 2 }
    // Validator 1 has the turns 0, 4 and so on, validator 3 that of round 2: a value is offered in later rounds than its own.
    for (const self of [0, 1, 3]) {
      const bench = new Bench({ self, restored: restored({ valid, votes, blocks: [block(A)] }) })
      expect(bench.machine).toMatchObject({ round: 2, step: 'propose', valid })
      for (const { round, valid } of bench.of('propose')) expect({ round, valid }).toEqual({ round, valid: undefined })
      bench.votes(prevote(5, 0, NIL), prevote(5, 2, NIL))
      bench.propose(proposal(5, A, 2))
      expect(bench.signed()).toEqual([`PREVOTE 5 ${A}`])
    }
  })
})

describe('what is kept', () => {
  it('blocks of old rounds go, but for those that may still be decided or proposed', () => {
    const bench = new Bench()
    const old = hashOf('old')
    const precommitted = hashOf('precommitted')
    bench.propose(proposal(0, A), block(A))
    bench.votes(prevote(0, 0, A), prevote(0, 1, A), prevote(0, 2, A))
    bench.timeout('precommit', 0)
    bench.propose(proposal(1, old), block(old))
    bench.timeout('precommit', 1)
    bench.propose(proposal(2, precommitted), block(precommitted))
    bench.votes(precommit(2, 1, precommitted), precommit(2, 2, precommitted))
    bench.votes(prevote(30, 1, NIL), prevote(30, 2, NIL))
    expect(bench.of('forget')).toEqual([{ type: 'forget', hash: old }])
    const { book } = bench.machine
    expect([A, old, precommitted].map((hash) => book.block(hash) !== undefined)).toEqual([true, false, true])
  })

  it('the pending block is the valid one with most precommits in one round', () => {
    const bench = new Bench()
    expect(bench.machine.book.pending()).toBeUndefined()
    bench.propose(proposal(0, A), block(A))
    expect(bench.machine.book.pending()).toEqual({ hash: A, round: 0, signatures: 0 })
    bench.votes(precommit(0, 1, A), precommit(0, 2, A), precommit(1, 3, A))
    bench.propose(proposal(1, B), block(B))
    expect(bench.machine.book.pending()).toEqual({ hash: A, round: 0, signatures: 2 })
  })

  it('of equals it is the one that was proposed last; an invalid one never is', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.propose(proposal(1, B), block(B))
    expect(bench.machine.book.pending()).toEqual({ hash: B, round: 1, signatures: 0 })
    const bad = new Bench()
    bad.propose(proposal(0, A), block(A, { valid: false }))
    bad.votes(precommit(0, 1, A))
    expect(bad.machine.book.pending()).toBeUndefined()
  })

  it('a block that left is asked for again when it is named', () => {
    const bench = new Bench()
    bench.propose(proposal(0, B))
    expect(bench.asked()).toEqual(['block'])
    bench.give({ type: 'block', block: block(B) })
    bench.votes(prevote(20, 1, NIL), prevote(20, 2, NIL))
    expect(bench.of('forget')).toEqual([{ type: 'forget', hash: B }])
    bench.votes(precommit(20, 1, B), precommit(20, 2, B), precommit(20, 3, B))
    expect(bench.asked()).toEqual(['block'])
    expect(bench.machine.lack().blocks).toEqual([B])
  })

  it('of one height only', () => {
    expect(new Bench().machine.height).toBe(HEIGHT)
    expect(() => new Bench().machine.start(NOW)).toThrow(/started before/)
    expect(() => new Bench({ started: false }).votes(prevote(0, 1, A))).toThrow(/not been started/)
  })
})
