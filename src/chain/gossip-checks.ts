/** The check of each topic's messages but events (gossip-events.ts): see gossip-rules.ts for what it may rest on. */
import { equalBytes } from '../codec/bytes.ts'
import { Header } from '../codec/generated/chain.ts'
import { headerOf, joinFinalized, splitFinalized } from '../codec/raw.ts'
import { type CheckedBlock, type CheckResult, cheapBlockCheck, maxFinalizedBytes } from './check-block.ts'
import { type CheckedHeader, checkHeader } from './check-header.ts'
import type { CheapProposal } from './check-proposal.ts'
import { checkCommit, decodeCommit, maxCommitBytes } from './commit.ts'
import { blockHash } from './domain.ts'
import type { Genesis } from './genesis.ts'
import { type Checked, refusal } from './gossip-rules.ts'
import { checkVote, decodeVote, type Vote } from './vote.ts'

export function checkVoteMessage(genesis: Genesis, payload: Uint8Array): Checked<Vote> {
  let vote: Vote
  try {
    vote = decodeVote(payload)
  } catch {
    return refusal('NON_CANONICAL')
  }
  const failure = checkVote(genesis, vote)
  return failure === undefined ? { ok: true, message: vote } : refusal(failure.code)
}

export function checkNewBlockMessage(genesis: Genesis, payload: Uint8Array): Checked<CheapProposal> {
  const checked = cheapBlockCheck(genesis, payload)
  if (!checked.ok) return refusal(checked.failure.code)
  return checked.header.height === 0 ? refusal('BAD_HEIGHT') : { ok: true, message: checked }
}

/** But for the root after the block, which is under no signature: only who holds the chain can tell, and others cannot. */
export function checkHeaderMessage(genesis: Genesis, payload: Uint8Array): Checked<CheckedHeader> {
  const checked = checkHeader(genesis, payload)
  if (!checked.ok) return refusal(checked.failure.code)
  const { header } = checked
  if (header.deferred !== undefined) return refusal(header.deferred.code)
  return header.height === 0 ? refusal('BAD_HEIGHT') : { ok: true, message: header }
}

/** A certified block that was looked at in full. Byte strings are views of the payload. */
export interface FinalMessage {
  readonly height: number
  readonly hash: Uint8Array
  /** Undefined if its very bytes are among the blocks that this node holds. */
  readonly block: CheckedBlock | undefined
}

export interface FinalContext {
  /** `checkFinalized`, wherever it runs. */
  readonly verify: (payload: Uint8Array) => CheckResult | Promise<CheckResult>
  /**
   * The bytes of a block that this node has checked in full, seal and all, if it has one at hand at that height: then only
   * the commit is left to check.
   */
  readonly held?: (height: number) => Promise<Uint8Array | undefined>
}

export async function checkFinalMessage(
  genesis: Genesis,
  payload: Uint8Array,
  { verify, held }: FinalContext
): Promise<Checked<FinalMessage>> {
  if (payload.byteLength > maxFinalizedBytes(genesis)) return refusal('TOO_LARGE')
  if (held !== undefined) {
    const known = await knownBlock(genesis, payload, held)
    if (known !== undefined) return known
  }
  const result = await verify(payload)
  if (!result.ok) return refusal(result.failure.code)
  const { block } = result
  if (block.deferred !== undefined) return refusal(block.deferred.code)
  return block.height === 0
    ? refusal('BAD_HEIGHT')
    : { ok: true, message: { height: block.height, hash: block.hash, block } }
}

/** @returns the answer if the block's bytes are those that are held; undefined: all of it has to be looked at */
async function knownBlock(
  genesis: Genesis,
  payload: Uint8Array,
  held: NonNullable<FinalContext['held']>
): Promise<Checked<FinalMessage> | undefined> {
  const parts = partsOf(payload)
  if (parts === undefined) return undefined
  const { height, block, commit } = parts
  const ours = await held(height)
  if (ours === undefined || !equalBytes(ours, block)) return undefined
  const hash = blockHash(genesis.hash, Header.decode(headerOf(block)))
  const code = commitFault(genesis, commit, { height, hash })
  return code === undefined ? { ok: true, message: { height, hash, block: undefined } } : refusal(code)
}

/** Of a message that has the one form that it may have; nothing else is checked. */
function partsOf(payload: Uint8Array): { height: number; block: Uint8Array; commit: Uint8Array } | undefined {
  try {
    const { block, commit } = splitFinalized(payload)
    if (!equalBytes(joinFinalized(block, commit), payload)) return undefined
    return { height: Header.decode(headerOf(block)).height, block, commit }
  } catch {
    return undefined
  }
}

function commitFault(
  genesis: Genesis,
  bytes: Uint8Array,
  block: Parameters<typeof checkCommit>[2]
): string | undefined {
  if (bytes.byteLength > maxCommitBytes(genesis)) return 'TOO_LARGE'
  try {
    return checkCommit(genesis, decodeCommit(bytes), block)?.code
  } catch {
    return 'NON_CANONICAL'
  }
}
