/**
 * What of a signed message somebody else can change so that it is still accepted: nothing, but for what is listed here
 * with the reason why it may be.
 */
import { describe, expect, test } from 'vitest'
import { cheapBlockCheck, checkFinalized } from '../../src/chain/check-block.ts'
import { checkHeader } from '../../src/chain/check-header.ts'
import { foreignBlockFailure } from '../../src/chain/check-proposal.ts'
import { buildCommit, checkCommit, encodeCommit } from '../../src/chain/commit.ts'
import { blockHash } from '../../src/chain/domain.ts'
import { checkEvent, verifyEventSignature } from '../../src/chain/event.ts'
import { checkProposal, decodeProposal, encodeProposal, signProposal } from '../../src/chain/proposal.ts'
import { checkVote, decodeVote, signVote, VoteType } from '../../src/chain/vote.ts'
import { equalBytes } from '../../src/codec/bytes.ts'
import { Block, Commit, FinalizedBlock, Proposal, TrustedHeader, Vote } from '../../src/codec/generated/chain.ts'
import { SignedEvent } from '../../src/codec/generated/event.ts'
import { NewBlock } from '../../src/codec/generated/gossip.ts'
import { joinFinalized, joinNewBlock, joinTrustedHeader, splitBlock } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { mutantsOf } from '../support/mutants.ts'
import { precommits, testBlock, testChain, testEvent } from './fixture.ts'

const chain = testChain()
const { genesis } = chain
const events = [1, 2, 3].map((i) => testEvent(chain, i).bytes)
const block = testBlock(chain, { events })
const { header: headerBytes, seal } = splitBlock(block.blockBytes)
const place = { height: 1, hash: block.hash }
/** By all four, of whom three are enough. */
const commit = encodeCommit(buildCommit(genesis, precommits(chain, block.hash, [0, 1, 2, 3])))
const turn = (round: number) => chain.keys[genesis.validators.proposer(1, round)] as KeyPair
const [v0] = chain.keys as [KeyPair]

interface Codec<Value> {
  encode(value: Value): Uint8Array<ArrayBuffer>
  decode(bytes: Uint8Array): Value
}

/** The fields that can be changed in an encoding without its being refused. */
function changeable<Value>(codec: Codec<Value>, bytes: Uint8Array, accepts: (bytes: Uint8Array) => boolean): string[] {
  expect(accepts(bytes)).toBe(true)
  const found = mutantsOf(codec.decode(bytes)).filter(({ value }) => {
    const encoded = codec.encode(value)
    if (equalBytes(encoded, bytes)) return false
    try {
      return accepts(encoded)
    } catch {
      return false
    }
  })
  return [...new Set(found.map(({ path }) => path))].sort()
}

describe('what can be changed', () => {
  test('in an event: nothing', () => {
    const accepts = (bytes: Uint8Array) => verifyEventSignature(genesis.hash, checkEvent(bytes, genesis.params))
    expect(changeable(SignedEvent, events[0] as Uint8Array, accepts)).toEqual([])
  })

  test.each([
    ['a vote for a block', block.hash],
    ['a nil vote', new Uint8Array(0)]
  ])('in %s: nothing', (_, hash) => {
    const vote = signVote(genesis.hash, v0, { type: VoteType.PRECOMMIT, height: 3, round: 1, blockHash: hash })
    const accepts = (bytes: Uint8Array) => checkVote(genesis, decodeVote(bytes)) === undefined
    expect(changeable(Vote, Vote.encode(vote), accepts)).toEqual([])
  })

  test.each([undefined, 0, 1])('in a proposal with valid round %s: nothing', (validRound) => {
    const slot = { height: 1, round: 4, validRound, blockHash: block.hash }
    const bytes = encodeProposal({ ...slot, signature: signProposal(genesis.hash, turn(4), slot) })
    const accepts = (encoded: Uint8Array) => {
      const proposal = decodeProposal(encoded)
      return checkProposal(genesis, proposal, proposal.signature) === undefined
    }
    expect(changeable(Proposal, bytes, accepts)).toEqual([])
    const read = Proposal.decode(bytes)
    for (const other of [undefined, 0, 1, 2]) {
      if (other === validRound) continue
      const { validRound: _, ...fields } = read
      expect(accepts(Proposal.encode(other === undefined ? fields : { ...fields, validRound: other }))).toBe(false)
    }
  })

  test('in a proposed block: nothing, its events and its seal are held to what is signed', () => {
    const signature = signProposal(genesis.hash, turn(0), { height: 1, round: 0, blockHash: block.hash })
    const bytes = joinNewBlock({ round: 0, validRound: undefined, block: block.blockBytes, signature })
    expect(changeable(NewBlock, bytes, (encoded) => cheapBlockCheck(genesis, encoded).ok)).toEqual([])
    const ofHash = (encoded: Uint8Array) => {
      const { header } = Block.decode(encoded)
      if (header === undefined || !equalBytes(blockHash(genesis.hash, header), block.hash)) return false
      return foreignBlockFailure(genesis, encoded, header, block.hash) === undefined
    }
    expect(changeable(Block, block.blockBytes, ofHash)).toEqual([])
  })

  /** Any quorum certifies: so nodes hold different commits of one block, and no hash is over them. */
  const ONE_SIGNATURE_LESS = 'signatures[]'

  test('in a commit: which of the signatures it has', () => {
    const accepts = (bytes: Uint8Array) => checkCommit(genesis, Commit.decode(bytes), place) === undefined
    expect(changeable(Commit, commit, accepts)).toEqual([ONE_SIGNATURE_LESS])
  })

  test('in a finalized block: the same', () => {
    const accepts = (bytes: Uint8Array) => {
      const result = checkFinalized(genesis, bytes)
      return result.ok && result.block.deferred === undefined
    }
    const bytes = joinFinalized(block.blockBytes, commit)
    expect(changeable(FinalizedBlock, bytes, accepts)).toEqual([`commit.${ONE_SIGNATURE_LESS}`])
  })

  test('in a trusted header: the same, and the root after it, which whoever follows the chain computes (rootFailure)', () => {
    const accepts = (bytes: Uint8Array) => {
      const result = checkHeader(genesis, bytes)
      return result.ok && result.header.deferred === undefined
    }
    const bytes = joinTrustedHeader({ header: headerBytes, seal, commit, mmrRoot: new Uint8Array(32).fill(7) })
    expect(changeable(TrustedHeader, bytes, accepts)).toEqual([`commit.${ONE_SIGNATURE_LESS}`, 'mmrRoot'])
  })
})
