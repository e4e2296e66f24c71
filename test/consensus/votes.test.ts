import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VoteType } from '../../src/codec/generated/chain.ts'
import { ProposalBook } from '../../src/consensus/proposals.ts'
import { MAX_ROUNDS_AHEAD, VoteBook } from '../../src/consensus/votes.ts'
import { runs } from '../support/runs.ts'
import { A, B, hashOf, precommit, prevote, proposal, vote } from './support/messages.ts'

const C = hashOf('C')
const never = () => false
const { PREVOTE, PRECOMMIT } = VoteType

function add(book: VoteBook, ...votes: ReturnType<typeof prevote>[]): string[] {
  return votes.map((one) => {
    const slot = book.classify(one, never)
    if (slot === 'new' || slot === 'conflict') book.add(one)
    return slot
  })
}

describe('slots', () => {
  it('new, known, conflict, and surplus once two are held', () => {
    const book = new VoteBook(4)
    const slots = add(book, prevote(0, 1, A), prevote(0, 1, A), prevote(0, 1, B), prevote(0, 1, B), prevote(0, 1, C))
    expect(slots).toEqual(['new', 'known', 'conflict', 'known', 'surplus'])
  })

  it('a third vote is taken for a block that was proposed', () => {
    const book = new VoteBook(4)
    add(book, prevote(0, 1, A), prevote(0, 1, B))
    expect(book.classify(prevote(0, 1, C), (hash) => hash === C)).toBe('conflict')
  })

  it('of types, rounds and validators are apart', () => {
    const book = new VoteBook(4)
    expect(add(book, prevote(0, 1, A), precommit(0, 1, B), prevote(1, 1, B), prevote(0, 2, B))).toEqual([
      'new',
      'new',
      'new',
      'new'
    ])
  })

  it('beyond r+1 only the highest round of each validator is kept', () => {
    const book = new VoteBook(4)
    expect(
      add(book, prevote(5, 1, A), prevote(4, 1, A), precommit(5, 1, A), prevote(9, 1, A), prevote(5, 2, A))
    ).toEqual(['new', 'stale', 'new', 'new', 'new'])
    book.advance(8)
    expect(book.tally(PREVOTE, 5).voters).toBe(1)
    expect(book.tally(PRECOMMIT, 5).voters).toBe(0)
    expect(book.tally(PREVOTE, 9).count(A)).toBe(1)
  })

  it('more than a thousand rounds ahead is too early', () => {
    const book = new VoteBook(4)
    expect(add(book, prevote(MAX_ROUNDS_AHEAD, 1, A), prevote(MAX_ROUNDS_AHEAD + 1, 2, A))).toEqual(['new', 'early'])
    book.advance(1)
    expect(add(book, prevote(MAX_ROUNDS_AHEAD + 1, 2, A))).toEqual(['new'])
  })
})

describe('counting', () => {
  it('an equivocator is one voter, and one for each of its blocks', () => {
    const book = new VoteBook(4)
    add(book, prevote(0, 1, A), prevote(0, 1, B), prevote(0, 2, A))
    const tally = book.tally(PREVOTE, 0)
    expect([tally.voters, tally.count(A), tally.count(B), tally.count('')]).toEqual([2, 2, 1, 0])
    expect(tally.quorumBlocks(2)).toEqual([A])
    expect(tally.quorumBlocks(3)).toEqual([])
    expect(tally.quorumBlocks(1)).toEqual([A, B])
  })

  it('nil is no block', () => {
    const book = new VoteBook(4)
    add(book, precommit(0, 1, ''), precommit(0, 2, ''), precommit(0, 3, ''))
    expect(book.precommitted(3)).toEqual([])
  })

  it('every block with a quorum is found, of whatever round', () => {
    const book = new VoteBook(4)
    for (const [round, hash] of [
      [1, A],
      [0, B],
      [0, C]
    ] as const) {
      add(book, ...[1, 2, 3].map((validator) => precommit(round, validator, hash)))
    }
    const named = [
      { hash: B, round: 0 },
      { hash: C, round: 0 },
      { hash: A, round: 1 }
    ]
    expect(book.precommitted(3)).toEqual(named)
    expect(book.precommitted(4)).toEqual([])
  })

  it('rounds signed in', () => {
    const book = new VoteBook(4)
    expect(book.roundSignedBy(1)).toBe(-1)
    add(book, prevote(3, 1, A), prevote(7, 2, A))
    book.signedIn(3, 5)
    expect([1, 2, 3, 4].map((count) => book.roundSignedBy(count))).toEqual([7, 5, 3, -1])
  })
})

it('whatever validators sign, what is kept of each is bounded and the counts are those of what is kept', () => {
  const one = fc.record({
    type: fc.constantFrom(PREVOTE, PRECOMMIT),
    round: fc.oneof(fc.nat(4), fc.nat(1200)),
    validator: fc.nat(3),
    hash: fc.constantFrom('', A, B, C)
  })
  const step = fc.oneof(
    { weight: 9, arbitrary: one },
    { weight: 1, arbitrary: fc.nat(6).map((advance) => ({ advance })) }
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const book = new VoteBook(4)
      let round = 0
      for (const item of steps) {
        if ('advance' in item) {
          round += item.advance
          book.advance(round)
        } else add(book, vote(item.type, item.round, item.validator, item.hash))
      }
      for (let validator = 0; validator < 4; validator++) {
        const near = book.rounds()
        expect(near.every((at) => at <= round + 1)).toBe(true)
        for (const at of near) {
          for (const type of [PREVOTE, PRECOMMIT]) {
            const slot = book.tally(type, at).slot(validator)
            expect(slot.length).toBeLessThanOrEqual(2)
            expect(new Set(slot.map(({ hash }) => hash)).size).toBe(slot.length)
            for (const { hash } of slot) expect(book.tally(type, at).count(hash)).toBeGreaterThan(0)
          }
        }
        const far = book.latestAbove(validator, round + 1)
        expect(far.length).toBeLessThanOrEqual(4)
        expect(new Set(far.map((held) => held.round)).size).toBeLessThanOrEqual(1)
      }
    }),
    runs(100)
  )
})

describe('proposals', () => {
  it('of a round: the first counts, the second is kept, a third is not', () => {
    const book = new ProposalBook()
    const slots = [proposal(0, A), proposal(0, A), proposal(0, B), proposal(0, C)].map((one) => {
      const slot = book.classify(one)
      if (slot === 'new' || slot === 'conflict') book.add(one)
      return slot
    })
    expect(slots).toEqual(['new', 'known', 'conflict', 'surplus'])
    expect(book.get(0)?.hash).toBe(A)
    expect([A, B, C].map((hash) => book.has(hash))).toEqual([true, true, false])
  })

  it('far ahead and far behind are not taken', () => {
    const book = new ProposalBook()
    book.advance(20)
    expect([11, 12, 20, 21, 22].map((round) => book.classify(proposal(round, A)))).toEqual([
      'stale',
      'new',
      'new',
      'new',
      'early'
    ])
  })

  it('are dropped with their rounds; a hash stays while one proposal names it', () => {
    const book = new ProposalBook()
    book.add(proposal(0, A))
    book.add(proposal(1, B))
    book.advance(8)
    book.add(proposal(8, A, 0))
    expect(book.advance(9)).toEqual([])
    expect(book.advance(10)).toEqual([B])
    expect(book.has(A)).toBe(true)
    expect(book.advance(17)).toEqual([A])
  })
})
