import { describe, expect, it } from 'vitest'
import { decodeProposal } from '../../src/chain/proposal.ts'
import { decodeVote } from '../../src/chain/vote.ts'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { GetVotes, type RawVotes } from '../../src/codec/generated/sync.ts'
import { HeightBook } from '../../src/consensus/book.ts'
import { votesAnswer, votesRequest } from '../../src/consensus/catch-up.ts'
import type { HeldVote } from '../../src/consensus/types.ts'
import { A, B, block, HEIGHT, precommit, prevote, proposal, validatorSet } from './support/messages.ts'

const NIL = ''
const SIZE = 4

function bookOf(...votes: HeldVote[]): HeightBook {
  return bookAt(2, ...votes)
}

/** What was heard by who is in a round. */
function bookAt(round: number, ...votes: HeldVote[]): HeightBook {
  const validators = validatorSet(SIZE)
  const book = new HeightBook(validators, (at) => validators.proposer(HEIGHT, at))
  book.advance(round, () => false)
  for (const one of votes) book.addVote(one)
  return book
}

/** What one asks the other, over the wire and back. */
function exchange(
  asker: HeightBook,
  server: HeightBook,
  round: number,
  held: (hash: string) => Uint8Array | undefined = () => undefined
) {
  const request = GetVotes.decode(GetVotes.encode(votesRequest(asker, HEIGHT, asker.lack(round, -1), SIZE)))
  return { request, ...readable(votesAnswer(server, request, SIZE, held)) }
}

function readable(answer: RawVotes) {
  const votes = answer.votes.map((bytes) => decodeVote(bytes))
  return {
    answer,
    votes: votes
      .map(({ type, round, validator, blockHash }) => {
        const index = validatorSet(SIZE).indexOf(validator)
        return `${type} ${round} v${index} ${toHex(blockHash).slice(0, 4) || 'nil'}`
      })
      .sort()
  }
}

const a = A.slice(0, 4)
const b = B.slice(0, 4)

describe('the votes answered', () => {
  it('are those of the round that the asker lacks', () => {
    const asker = bookOf(prevote(0, 0, A), precommit(0, 2, NIL))
    const server = bookOf(prevote(0, 0, A), prevote(0, 1, NIL), precommit(0, 2, NIL), precommit(0, 3, NIL))
    expect(exchange(asker, server, 0).votes).toEqual(['PRECOMMIT 0 v3 nil', 'PREVOTE 0 v1 nil'])
  })

  it('are none of other rounds, but for all precommits of blocks', () => {
    const server = bookOf(
      prevote(0, 0, A),
      prevote(1, 1, A),
      precommit(0, 1, A),
      precommit(0, 2, NIL),
      prevote(1, 2, NIL)
    )
    const asker = bookOf(prevote(1, 1, A), prevote(1, 2, NIL))
    expect(exchange(asker, server, 1).votes).toEqual([`PRECOMMIT 0 v1 ${a}`])
  })

  it('are the prevotes of the valid round of the proposal that the asker holds', () => {
    const server = bookOf(prevote(0, 0, A), prevote(0, 1, A), prevote(0, 2, A), prevote(0, 3, B))
    const asker = bookOf(prevote(0, 0, A))
    asker.addProposal(proposal(2, A, 0))
    const { request, votes } = exchange(asker, server, 2)
    expect(request.validRound).toBe(0)
    expect(votes).toEqual([`PREVOTE 0 v1 ${a}`, `PREVOTE 0 v2 ${a}`, `PREVOTE 0 v3 ${b}`])
  })

  it('of the valid round are also those for the proposed block of who voted otherwise too', () => {
    // The asker holds an equivocator's other vote: without its vote for A it would never see A's q prevotes.
    const server = bookOf(prevote(0, 0, A), prevote(0, 1, A), prevote(0, 3, A))
    const asker = bookOf(prevote(0, 0, A), prevote(0, 3, B))
    asker.addProposal(proposal(2, A, 0))
    expect(exchange(asker, server, 2).votes).toEqual([`PREVOTE 0 v1 ${a}`, `PREVOTE 0 v3 ${a}`])
  })

  it('say in which later rounds others are', () => {
    const server = bookOf(prevote(1, 0, A), prevote(7, 1, NIL), prevote(7, 2, NIL), precommit(9, 3, NIL))
    const asker = bookOf()
    expect(exchange(asker, server, 0).votes).toEqual([
      'PRECOMMIT 9 v3 nil',
      `PREVOTE 1 v0 ${a}`,
      'PREVOTE 7 v1 nil',
      'PREVOTE 7 v2 nil'
    ])
  })

  it('have the proposal of the round, also a re-proposal', () => {
    const server = bookOf()
    server.addProposal(proposal(1, A))
    server.addProposal(proposal(3, A, 1))
    const of = (round: number) => decodeProposal(exchange(bookOf(), server, round).answer.proposal)
    expect(of(1).validRound).toBeUndefined()
    expect(of(3).validRound).toBe(1)
    expect(exchange(bookOf(), server, 2).answer.proposal.byteLength).toBe(0)
  })

  it('fit a frame beside a block, the missing ones first', () => {
    const size = 128
    const validators = validatorSet(size)
    const server = new HeightBook(validators, () => 0)
    server.advance(2, () => false)
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < size; i++) {
        server.addVote(prevote(round, i, A))
        server.addVote(precommit(round, i, A))
      }
    }
    const asker = new HeightBook(validators, () => 0)
    const request = {
      ...votesRequest(asker, HEIGHT, asker.lack(2, -1), size),
      blockHash: fromHex(A, 32) as Uint8Array<ArrayBuffer>
    }
    const { votes } = votesAnswer(server, request, size, () => new Uint8Array(10))
    const bytes = votes.reduce((sum, one) => sum + one.byteLength + 4, 0)
    expect(bytes).toBeLessThanOrEqual(56 << 10)
    const firstHundred = votes.slice(0, 100).map((one) => decodeVote(one))
    expect(firstHundred.every(({ round }) => round === 2)).toBe(true)
    expect(votesAnswer(server, { ...request, blockHash: new Uint8Array(0) }, size, () => undefined).votes).toHaveLength(
      // Both types of round 2, the prevotes of round 3 with its precommits, the precommits of rounds 0 and 1.
      size * 6
    )
  })
})

describe('the block asked for', () => {
  it('is what q precommits name, before what q prevotes name, before what was proposed; and none that is held', () => {
    const asker = bookAt(0)
    const wanted = (round = 0) => toHex(votesRequest(asker, HEIGHT, asker.lack(round, -1), SIZE).blockHash)
    expect(wanted()).toBe('')
    asker.addProposal(proposal(0, A))
    expect(wanted()).toBe(A)
    asker.addBlock(block(A))
    expect(wanted()).toBe('')
    for (const validator of [0, 1, 2]) asker.addVote(prevote(0, validator, B))
    expect(wanted()).toBe(B)
    asker.addBlock(block(B))
    expect(wanted()).toBe('')
  })

  it('is another the next time: one that nobody has does not keep others from being asked for', () => {
    const asker = bookAt(0)
    asker.addProposal(proposal(0, A))
    for (const validator of [0, 1, 2]) asker.addVote(precommit(0, validator, B))
    const lack = asker.lack(0, -1)
    const wanted = [0, 1, 2, undefined].map((block) =>
      toHex(votesRequest(asker, HEIGHT, lack, SIZE, { block, polka: 1 }).blockHash)
    )
    expect(wanted).toEqual([B, A, B, ''])
  })

  it('and so are the prevotes', () => {
    const asker = bookAt(2, precommit(0, 1, A), precommit(1, 2, B))
    const rounds = [0, 1, 2].map(
      (turn) => votesRequest(asker, HEIGHT, asker.lack(2, -1), SIZE, { block: 0, polka: turn }).validRound
    )
    expect(rounds).toEqual([1, 0, 1])
  })

  it('comes if it is held', () => {
    const asker = bookOf()
    asker.addProposal(proposal(0, A))
    const held = new Uint8Array([1, 2, 3])
    const { answer } = exchange(asker, bookOf(), 0, (hash) => (hash === A ? held : undefined))
    expect([...answer.block]).toEqual([1, 2, 3])
    expect(exchange(bookOf(), bookOf(), 0, () => held).answer.block.byteLength).toBe(0)
  })
})
