import { expect, test } from 'vitest'
import { checkVote, decodeVote, encodeVote, isNil, signVote, VoteType } from '../../src/chain/vote.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { keyOf, testChain } from './fixture.ts'

const chain = testChain()
const { genesis } = chain
const slot = { type: VoteType.PREVOTE, height: 3, round: 1, blockHash: new Uint8Array(32).fill(5) }
const vote = signVote(genesis.hash, chain.keys[2] as KeyPair, slot)

test('a signed vote is valid, and its encoding is read back', () => {
  expect(checkVote(genesis, vote)).toBeUndefined()
  expect(decodeVote(encodeVote(vote))).toEqual(vote)
  expect(isNil(vote)).toBe(false)
})

test('a nil vote has no hash, neither where it is signed nor where it travels', () => {
  const nil = signVote(genesis.hash, chain.keys[0] as KeyPair, { ...slot, blockHash: new Uint8Array(0) })
  expect(checkVote(genesis, nil)).toBeUndefined()
  expect(isNil(decodeVote(encodeVote(nil)))).toBe(true)
})

test('VOTE_MALFORMED', () => {
  const none = { ...vote, type: VoteType.VOTE_UNSPECIFIED }
  expect(checkVote(genesis, none)?.code).toBe('VOTE_MALFORMED')
})

test('VOTE_MALFORMED: 32 zero bytes are no hash, and were the signed bytes of nil once', () => {
  const zero = { ...slot, blockHash: new Uint8Array(32) }
  expect(checkVote(genesis, signVote(genesis.hash, chain.keys[0] as KeyPair, zero))?.code).toBe('VOTE_MALFORMED')
})

test('VOTE_UNKNOWN_VALIDATOR', () => {
  expect(checkVote(genesis, signVote(genesis.hash, keyOf('stranger'), slot))?.code).toBe('VOTE_UNKNOWN_VALIDATOR')
})

test('VOTE_BAD_SIGNATURE: any field that is changed, and any other chain', () => {
  const changes = [
    { type: VoteType.PRECOMMIT },
    { height: 4 },
    { round: 0 },
    { blockHash: new Uint8Array(0) },
    { validator: new Uint8Array(chain.keys[1]?.publicKey as Uint8Array) },
    { signature: new Uint8Array(64) }
  ]
  for (const change of changes) expect(checkVote(genesis, { ...vote, ...change })?.code).toBe('VOTE_BAD_SIGNATURE')
  expect(checkVote(testChain(4, { chainId: 'other' }).genesis, vote)?.code).toBe('VOTE_BAD_SIGNATURE')
})

test('a vote that is not canonical is not read', () => {
  const bytes = encodeVote(vote)
  expect(() => decodeVote(bytes.subarray(0, -1))).toThrow(expect.objectContaining({ code: 'NON_CANONICAL' }))
})
