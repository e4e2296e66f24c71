/** The check of each topic's messages but events (gossip-events.ts): see gossip-rules.ts for what it may rest on. */
import { equalBytes } from '../codec/bytes.ts'
import { Header } from '../codec/generated/chain.ts'
import { headerOf, joinFinalized, splitFinalized } from '../codec/raw.ts'
import {
  type CheckedBlock,
  type CheckResult,
  certify,
  type cheapBlockCheck,
  cheapBlockSteps,
  maxFinalizedBytes,
  type ProposedBlock
} from './check-block.ts'
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

/** @param giveWay lets others have their turn, between the steps of a large block */
export function checkNewBlockMessage(
  genesis: Genesis,
  payload: Uint8Array,
  giveWay: () => Promise<unknown>
): Checked<CheapProposal> | Promise<Checked<CheapProposal>> {
  const steps = cheapBlockSteps(genesis, payload)
  const first = steps.next()
  return first.done === true ? newBlockOf(first.value) : goOn()

  async function goOn(): Promise<Checked<CheapProposal>> {
    for (;;) {
      await giveWay()
      const step = steps.next()
      if (step.done === true) return newBlockOf(step.value)
    }
  }
}

function newBlockOf(checked: ReturnType<typeof cheapBlockCheck>): Checked<CheapProposal> {
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
  /** `checkFinalized`, wherever it runs; asked only of blocks whose commit is good. */
  readonly verify: (payload: Uint8Array) => CheckResult | Promise<CheckResult>
  /** A block that this node has found valid as a proposal, if it has one of that hash. */
  readonly proposed?: (hash: Uint8Array) => ProposedBlock | undefined
  /**
   * The bytes of a block that this node has checked in full, seal and all, if it has one at hand at that height: then only
   * the commit is left to check.
   */
  readonly held?: (height: number) => Promise<Uint8Array | undefined>
}

/** The commit first: only a quorum can make a good one, and the rest of a large block is dear to look at. */
export async function checkFinalMessage(
  genesis: Genesis,
  payload: Uint8Array,
  { verify, proposed, held }: FinalContext
): Promise<Checked<FinalMessage>> {
  if (payload.byteLength > maxFinalizedBytes(genesis)) return refusal('TOO_LARGE')
  const parts = partsOf(genesis, payload)
  if (parts === undefined) return refusal('NON_CANONICAL')
  const { height, hash, block, commit } = parts
  if (height === 0) return refusal('BAD_HEIGHT')
  const valid = proposed?.(hash)
  if (valid !== undefined && equalBytes(valid.blockBytes, block)) return messageOf(certify(genesis, valid, commit))
  const code = commitFault(genesis, commit, parts)
  if (code !== undefined) return refusal(code)
  const ours = await held?.(height)
  if (ours !== undefined && equalBytes(ours, block)) return { ok: true, message: { height, hash, block: undefined } }
  return messageOf(await verify(payload))
}

function messageOf(result: CheckResult): Checked<FinalMessage> {
  if (!result.ok) return refusal(result.failure.code)
  const { block } = result
  if (block.deferred !== undefined) return refusal(block.deferred.code)
  return { ok: true, message: { height: block.height, hash: block.hash, block } }
}

interface Parts {
  readonly height: number
  readonly hash: Uint8Array
  readonly block: Uint8Array
  readonly commit: Uint8Array
}

/** Of a message that has the one form that it may have; nothing else is checked. */
function partsOf(genesis: Genesis, payload: Uint8Array): Parts | undefined {
  try {
    const { block, commit } = splitFinalized(payload)
    if (!equalBytes(joinFinalized(block, commit), payload)) return undefined
    const header = Header.decode(headerOf(block))
    return { height: header.height, hash: blockHash(genesis.hash, header), block, commit }
  } catch {
    return undefined
  }
}

function commitFault(genesis: Genesis, bytes: Uint8Array, { height, hash }: Parts): string | undefined {
  if (bytes.byteLength > maxCommitBytes(genesis)) return 'TOO_LARGE'
  try {
    return checkCommit(genesis, decodeCommit(bytes), { height, hash })?.code
  } catch {
    return 'NON_CANONICAL'
  }
}
