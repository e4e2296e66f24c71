import { equalBytes, toHex } from '../codec/bytes.ts'
import { assertCanonical } from '../codec/canonical.ts'
import { Vote, VoteType } from '../codec/generated/chain.ts'
import { VOTE } from '../codec/rules.ts'
import { type KeyPair, sign, verify } from '../crypto/ed25519.ts'
import { type VoteSlot, voteMessage, ZERO_HASH } from './domain.ts'
import { type Failure, failure } from './failures.ts'
import type { Genesis } from './genesis.ts'

export { Vote, VoteType } from '../codec/generated/chain.ts'

/** A vote of known type for nil or a block, by a validator: what costs no time to check. */
export function checkVoteForm(genesis: Genesis, vote: Vote): Failure | undefined {
  if (vote.type !== VoteType.PREVOTE && vote.type !== VoteType.PRECOMMIT) {
    return failure('VOTE_MALFORMED', `vote's type is ${vote.type}; accepted: PREVOTE or PRECOMMIT`)
  }
  // Up to protocol 1 these were the signed bytes of nil, and no block has this hash.
  if (equalBytes(vote.blockHash, ZERO_HASH)) {
    return failure('VOTE_MALFORMED', "vote's block_hash is 32 zero bytes; accepted: none at all, or a block's")
  }
  if (genesis.validators.indexOf(vote.validator) < 0) {
    return failure('VOTE_UNKNOWN_VALIDATOR', `vote is by ${toHex(vote.validator)}, which is no validator`)
  }
  return undefined
}

/** `checkVoteForm`, and a valid signature; whether it is of use is consensus's question. */
export function checkVote(genesis: Genesis, vote: Vote): Failure | undefined {
  const malformed = checkVoteForm(genesis, vote)
  if (malformed !== undefined) return malformed
  if (!verify(vote.validator, voteMessage(genesis.hash, vote), vote.signature)) {
    return failure('VOTE_BAD_SIGNATURE', `vote's signature is not ${toHex(vote.validator)}'s over it`)
  }
  return undefined
}

/** Signs whatever it is given: refuse conflicts before. @throws RangeError for a slot of no type */
export function signVote(genesisHash: Uint8Array, key: KeyPair, slot: VoteSlot): Vote {
  const { height, round } = slot
  const type = slot.type as VoteType
  const blockHash = new Uint8Array(slot.blockHash)
  const signature = sign(key, voteMessage(genesisHash, { type, height, round, blockHash }))
  return { type, height, round, blockHash, validator: new Uint8Array(key.publicKey), signature }
}

/** The canonical encoding. */
export function encodeVote(vote: Vote): Uint8Array<ArrayBuffer> {
  return Vote.encode(vote)
}

/** @returns fields that are views of `bytes`; @throws MolochError NON_CANONICAL */
export function decodeVote(bytes: Uint8Array): Vote {
  assertCanonical(VOTE, bytes)
  return Vote.decode(bytes)
}

export function isNil(vote: { readonly blockHash: Uint8Array }): boolean {
  return vote.blockHash.byteLength === 0
}
