import { equalBytes, toHex } from '../codec/bytes.ts'
import { assertCanonical } from '../codec/canonical.ts'
import { Commit, type Vote, VoteType } from '../codec/generated/chain.ts'
import { COMMIT } from '../codec/rules.ts'
import { verify } from '../crypto/ed25519.ts'
import { MolochError } from '../error.ts'
import { voteMessage } from './domain.ts'
import { type Failure, failure } from './failures.ts'
import type { Genesis } from './genesis.ts'

export { Commit } from '../codec/generated/chain.ts'

/** Tags, validator and signature of one entry: the most that each adds to an encoded commit. */
const SIGNATURE_BYTES = 2 + (2 + 32) + (2 + 64)
const FIXED_BYTES = 1 + 8 + 1 + 5 + 2 + 32

/** No valid commit of this chain is longer: what is longer is not looked at. */
export function maxCommitBytes(genesis: Genesis): number {
  return FIXED_BYTES + SIGNATURE_BYTES * genesis.validators.size
}

/**
 * Whether the commit is a certificate for the block: precommits of one round by a quorum of distinct validators in
 * genesis order, every signature valid. Who signed is settled before any signature is checked.
 */
export function checkCommit(
  genesis: Genesis,
  commit: Commit,
  block: { readonly height: number; readonly hash: Uint8Array }
): Failure | undefined {
  return checkCommitForm(genesis, commit, block) ?? checkCommitSignatures(genesis, commit)
}

function checkCommitForm(
  genesis: Genesis,
  commit: Commit,
  block: { readonly height: number; readonly hash: Uint8Array }
): Failure | undefined {
  const { validators } = genesis
  if (commit.height !== block.height || !equalBytes(commit.blockHash, block.hash)) {
    const named = `block ${commit.height} ${toHex(commit.blockHash)}`
    return failure('COMMIT_WRONG_BLOCK', `commit is for ${named}, not for ${block.height} ${toHex(block.hash)}`)
  }
  let before = -1
  let disordered = false
  const signers = new Set<number>()
  for (const { validator } of commit.signatures) {
    const index = validators.indexOf(validator)
    if (index < 0) return failure('COMMIT_UNKNOWN_SIGNER', `commit's signer ${toHex(validator)} is no validator`)
    if (signers.has(index)) return failure('COMMIT_REPEATED_SIGNER', `commit has ${validators.names[index]} twice`)
    signers.add(index)
    if (index < before) disordered = true
    before = index
  }
  if (disordered) return failure('COMMIT_WRONG_ORDER', 'commit has its signatures out of genesis order')
  if (signers.size < validators.quorum) {
    const needed = `${validators.quorum} of ${validators.size}`
    return failure('COMMIT_TOO_FEW', `commit has ${signers.size} signatures; accepted: ${needed} or more`)
  }
  return undefined
}

function checkCommitSignatures(genesis: Genesis, commit: Commit): Failure | undefined {
  const { height, round, blockHash } = commit
  const message = voteMessage(genesis.hash, { type: VoteType.PRECOMMIT, height, round, blockHash })
  for (const { validator, signature } of commit.signatures) {
    if (verify(validator, message, signature)) continue
    const name = genesis.validators.names[genesis.validators.indexOf(validator)]
    return failure('COMMIT_BAD_SIGNATURE', `commit's signature of ${name} does not verify`)
  }
  return undefined
}

/**
 * The commit that the votes make: precommits of one height, round and block; put into genesis order, repeats dropped.
 * @throws MolochError BAD_COMMIT if they are not that, or not a quorum
 */
export function buildCommit(genesis: Genesis, votes: readonly Vote[]): Commit {
  const first = votes[0]
  if (first === undefined) throw new MolochError('BAD_COMMIT', 'a commit of no votes')
  const { height, round, blockHash } = first
  const slots = new Map<number, Vote>()
  for (const vote of votes) {
    const alike = vote.height === height && vote.round === round && equalBytes(vote.blockHash, blockHash)
    const index = genesis.validators.indexOf(vote.validator)
    if (!alike || vote.type !== VoteType.PRECOMMIT || blockHash.byteLength === 0 || index < 0) {
      throw new MolochError('BAD_COMMIT', 'votes are not precommits of validators for one block in one round')
    }
    slots.set(index, vote)
  }
  if (slots.size < genesis.validators.quorum) {
    throw new MolochError('BAD_COMMIT', `${slots.size} precommits; needed: ${genesis.validators.quorum}`)
  }
  const ordered = [...slots].sort(([a], [b]) => a - b)
  return {
    height,
    round,
    blockHash,
    signatures: ordered.map(([, { validator, signature }]) => ({ validator, signature }))
  }
}

/** The canonical encoding. */
export function encodeCommit(commit: Commit): Uint8Array<ArrayBuffer> {
  return Commit.encode(commit)
}

/** @returns fields that are views of `bytes`; @throws MolochError NON_CANONICAL */
export function decodeCommit(bytes: Uint8Array): Commit {
  assertCanonical(COMMIT, bytes)
  return Commit.decode(bytes)
}
