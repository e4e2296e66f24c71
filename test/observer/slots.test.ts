import { expect, test } from 'vitest'
import type { DecodedProposal, DecodedVote } from '../../src/observer/decoded.ts'
import { Finals } from '../../src/observer/finals.ts'
import { Recent } from '../../src/observer/recent.ts'
import { Slots } from '../../src/observer/slots.ts'

const PROPOSAL: DecodedProposal = {
  type: 'new-block',
  height: 4,
  round: 0,
  validRound: undefined,
  hash: 'aa',
  parentHash: '00',
  timestamp: 1000,
  proposer: 0,
  eventCount: 0
}
const VOTE: DecodedVote = { type: 'prevote', height: 4, round: 0, hash: 'aa', validator: 1 }

test('a second proposal or vote of one slot is a conflict, a third is one too many', () => {
  const slots = new Slots()
  const proposals = ['aa', 'aa', 'bb', 'aa', 'cc'].map((hash) => slots.proposal({ ...PROPOSAL, hash }))
  expect(proposals).toEqual(['new', 'known', 'conflict', 'known', 'surplus'])
  const votes = ['aa', undefined, undefined, 'cc'].map((hash) => slots.vote({ ...VOTE, hash }))
  expect(votes).toEqual(['new', 'conflict', 'known', 'surplus'])
  expect(slots.vote({ ...VOTE, type: 'precommit' })).toBe('new')
  expect(slots.vote({ ...VOTE, round: 1 })).toBe('new')
})

test("a vote has its block's time once that was seen", () => {
  const slots = new Slots()
  expect(slots.timeOf(VOTE)).toBeUndefined()
  expect(slots.timeOf(PROPOSAL)).toBe(1000)
  expect(slots.timeOf(VOTE)).toBe(1000)
  expect(slots.timeOf({ ...VOTE, hash: undefined })).toBeUndefined()
})

test('a final height is seen once a topic, whatever its commit; another block of it is a conflict', () => {
  const finals = new Finals(100)
  const { timestamp, proposer, parentHash } = PROPOSAL
  const block = { height: 7, round: 0, hash: 'aa', parentHash, timestamp, proposer, eventCount: 0 }
  const seen = (type: 'finalized' | 'header', changes: { hash?: string; round?: number } = {}) =>
    finals.finalized({ type, ...block, signers: [0, 1, 2], ...changes }, 0)
  expect([seen('finalized'), seen('finalized', { round: 1 }), seen('header')]).toEqual(['new', 'known', 'new'])
  expect(seen('header', { hash: 'bb' })).toBe('conflict')
  expect(finals.height).toBe(7)
})

test('gaps are of the topics of which something had come', () => {
  const finals = new Finals(100)
  finals.seen('vote', 3)
  finals.certified(3, 0)
  finals.seen('block', 4)
  finals.certified(6, 10)
  expect(finals.settle(100)).toEqual([])
  expect(finals.settle(110)).toEqual([
    { topic: 'block', from: 5, to: 6 },
    { topic: 'vote', from: 4, to: 6 }
  ])
  expect(finals.end(1000)).toEqual([])
})

test('of what is recent the oldest goes first', () => {
  const recent = new Recent<number>(2)
  recent.set('a', 1)
  recent.set('b', 2)
  recent.set('a', 3)
  recent.set('c', 4)
  expect([recent.get('a'), recent.has('b'), recent.get('c')]).toEqual([3, false, 4])
})
