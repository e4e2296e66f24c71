import { describe, expect, test } from 'vitest'
import {
  buildCommit,
  type Commit,
  checkCommit,
  decodeCommit,
  encodeCommit,
  maxCommitBytes
} from '../../src/chain/commit.ts'
import { signVote, VoteType } from '../../src/chain/vote.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { keyOf, precommits, testChain } from './fixture.ts'

const chain = testChain()
const { genesis } = chain
const hash = new Uint8Array(32).fill(5)
const block = { height: 1, hash }
const all = buildCommit(genesis, precommits(chain, hash, [3, 1, 0, 2]))
const code = (changes: Partial<Commit>) => checkCommit(genesis, { ...all, ...changes }, block)?.code
const [s0, s1, s2, s3] = all.signatures as [Commit['signatures'][number], ...Commit['signatures']]
type Signature = typeof s0
const signatures = (...list: (Signature | undefined)[]) => ({ signatures: list as Signature[] })

describe('a commit', () => {
  test('of a quorum or more is valid, in genesis order', () => {
    expect(all.signatures.map(({ validator }) => genesis.validators.indexOf(validator))).toEqual([0, 1, 2, 3])
    expect(code({})).toBeUndefined()
    expect(code(signatures(s0, s2, s3))).toBeUndefined()
    expect(checkCommit(genesis, buildCommit(genesis, precommits(chain, hash, [2, 1, 0], 7)), block)).toBeUndefined()
  })

  test('is read back, and is within the size that a reader looks at', () => {
    expect(decodeCommit(encodeCommit(all))).toEqual(all)
    const longest = { ...all, height: Number.MAX_SAFE_INTEGER, round: 0xffff_ffff }
    expect(encodeCommit(longest).byteLength).toBe(maxCommitBytes(genesis))
    expect(() => decodeCommit(encodeCommit(all).subarray(1))).toThrow(
      expect.objectContaining({ code: 'NON_CANONICAL' })
    )
  })
})

test('COMMIT_WRONG_BLOCK', () => {
  expect(code({ height: 2 })).toBe('COMMIT_WRONG_BLOCK')
  expect(code({ blockHash: new Uint8Array(32) })).toBe('COMMIT_WRONG_BLOCK')
})

test('COMMIT_UNKNOWN_SIGNER', () => {
  const slot = { type: VoteType.PRECOMMIT, height: 1, round: 0, blockHash: hash }
  const { validator, signature } = signVote(genesis.hash, keyOf('stranger'), slot)
  expect(code(signatures(s0, s1, s2, { validator, signature }))).toBe('COMMIT_UNKNOWN_SIGNER')
})

test('COMMIT_REPEATED_SIGNER: one validator is not a quorum however often it signs', () => {
  expect(code(signatures(s0, s1, s1))).toBe('COMMIT_REPEATED_SIGNER')
  expect(code(signatures(s0, s1, s2, s0))).toBe('COMMIT_REPEATED_SIGNER')
})

test('COMMIT_WRONG_ORDER', () => {
  expect(code(signatures(s1, s0, s2))).toBe('COMMIT_WRONG_ORDER')
})

test('COMMIT_TOO_FEW', () => {
  expect(code(signatures(s0, s1))).toBe('COMMIT_TOO_FEW')
  expect(code(signatures())).toBe('COMMIT_TOO_FEW')
})

describe('COMMIT_BAD_SIGNATURE', () => {
  test('one bad signature spoils it, though the others are a quorum', () => {
    expect(code(signatures(s0, s1, s2, { ...s0, validator: s3?.validator as Signature['validator'] }))).toBe(
      'COMMIT_BAD_SIGNATURE'
    )
  })

  test('precommits of another round, prevotes and nil are no precommits of it', () => {
    expect(code({ round: 1 })).toBe('COMMIT_BAD_SIGNATURE')
    for (const slot of [
      { type: VoteType.PREVOTE, blockHash: hash },
      { type: VoteType.PRECOMMIT, blockHash: new Uint8Array(0) }
    ]) {
      const vote = signVote(genesis.hash, chain.keys[2] as KeyPair, { height: 1, round: 0, ...slot })
      expect(code(signatures(s0, s1, { validator: vote.validator, signature: vote.signature }))).toBe(
        'COMMIT_BAD_SIGNATURE'
      )
    }
  })
})

describe('building one', () => {
  const refused = expect.objectContaining({ code: 'BAD_COMMIT' })

  test('drops repeats', () => {
    const votes = precommits(chain, hash, [0, 0, 1, 2])
    expect(buildCommit(genesis, votes).signatures.length).toBe(3)
  })

  test('refuses what is no quorum of one block in one round', () => {
    const votes = precommits(chain, hash, [0, 1, 2])
    expect(() => buildCommit(genesis, [])).toThrow(refused)
    expect(() => buildCommit(genesis, votes.slice(1))).toThrow(refused)
    expect(() => buildCommit(genesis, precommits(chain, hash, [0, 0, 0]))).toThrow(refused)
    expect(() => buildCommit(genesis, [...votes, ...precommits(chain, new Uint8Array(32), [3])])).toThrow(refused)
    expect(() => buildCommit(genesis, [...votes, ...precommits(chain, hash, [3], 1)])).toThrow(refused)
    expect(() => buildCommit(genesis, precommits(chain, new Uint8Array(0), [0, 1, 2]))).toThrow(refused)
  })
})
