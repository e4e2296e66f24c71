import { equalBytes, toHex } from '../codec/bytes.ts'
import { Commit } from '../codec/generated/chain.ts'
import { type FinalizedParts, splitFinalized } from '../codec/raw.ts'
import { COMMIT, FINALIZED_BLOCK } from '../codec/rules.ts'
import { checkEvents, type EventsOptions } from './check-events.ts'
import type { ProposedBlock } from './check-proposal.ts'
import {
  type CheckedBlock,
  type CheckResult,
  canonicalFailure,
  inspectBlock,
  inspectContent,
  markChecked,
  sizeFailure
} from './checked-block.ts'
import { checkCommit, maxCommitBytes } from './commit.ts'
import { type Failure, failure, firstFailure } from './failures.ts'
import type { Genesis } from './genesis.ts'

export { cheapBlockCheck, cheapBlockSteps, checkProposed, type ProposedBlock } from './check-proposal.ts'
export { type BlockData, type CheckedBlock, type CheckResult, markChecked } from './checked-block.ts'

/** Tags and lengths of the two parts of a FinalizedBlock. */
const FINALIZED_OVERHEAD_BYTES = 16

/** No valid FinalizedBlock of this chain is longer: what is longer is not looked at. */
export function maxFinalizedBytes(genesis: Genesis): number {
  return genesis.params.maxBlockBytes + maxCommitBytes(genesis) + FINALIZED_OVERHEAD_BYTES
}

export interface CheckOptions extends EventsOptions {
  /** Check the events again, which the validators did before they voted: bounds, window, signatures. */
  readonly verifyEvents?: boolean
}

/**
 * §7 for one FinalizedBlock, but for what needs its parent (`checkLink`).
 *
 * `ok: false` is a fault of a stage before the links. Later ones are in the block's `deferred`, and everything after
 * the first of them was not looked at.
 */
export function checkFinalized(genesis: Genesis, bytes: Uint8Array, options: CheckOptions = {}): CheckResult {
  const parts = openFinalized(genesis, bytes)
  if ('code' in parts) return { ok: false, failure: parts }
  const { block: blockBytes, commit: commitBytes } = parts
  const inspected = inspectBlock(genesis, blockBytes, true)
  if ('code' in inspected) return { ok: false, failure: inspected }
  const { header, hash, eventIds, keyHashes } = inspected
  const commit = Commit.decode(commitBytes)
  const deferred =
    inspected.deferred ??
    checkCommit(genesis, commit, { height: header.height, hash }) ??
    (options.verifyEvents === true ? checkEvents(genesis, header.timestamp, inspected, options).failure : undefined)
  return {
    ok: true,
    block: markChecked({
      checked: 'finalized' as const,
      height: header.height,
      hash,
      header,
      blockBytes,
      commitBytes,
      commit,
      eventIds,
      keyHashes,
      ...(deferred === undefined ? {} : { deferred })
    })
  }
}

/**
 * checkFinalized of a block that was checked as a proposal, with its commit: only the commit is left to look at.
 * @param proposed without a deferred fault
 */
export function certify(genesis: Genesis, proposed: ProposedBlock, commitBytes: Uint8Array): CheckResult {
  const early = canonicalFailure(COMMIT, commitBytes) ?? sizeFailure('commit', commitBytes, maxCommitBytes(genesis))
  if (early !== undefined) return { ok: false, failure: early }
  const { eventTimestamps: _, ...block } = proposed
  const commit = Commit.decode(commitBytes)
  const deferred = checkCommit(genesis, commit, block)
  return {
    ok: true,
    block: markChecked({
      ...block,
      checked: 'finalized' as const,
      commitBytes: commitBytes as Uint8Array<ArrayBuffer>,
      commit,
      ...(deferred === undefined ? {} : { deferred })
    })
  }
}

/**
 * One FinalizedBlock of a chain whose block hashes are known: what its hash vouches for, and no signature. Whether the
 * hash is the known one is for whoever knows it; a fault of the content is in `deferred`.
 */
export function checkHistory(genesis: Genesis, bytes: Uint8Array): CheckResult {
  const parts = openFinalized(genesis, bytes)
  if ('code' in parts) return { ok: false, failure: parts }
  const inspected = inspectContent(genesis, parts.block, true)
  if ('code' in inspected) return { ok: false, failure: inspected }
  const { header, hash, eventIds, keyHashes, deferred } = inspected
  return {
    ok: true,
    block: markChecked({
      checked: 'history' as const,
      height: header.height,
      hash,
      header,
      blockBytes: parts.block,
      commitBytes: parts.commit,
      commit: undefined,
      eventIds,
      keyHashes,
      ...(deferred === undefined ? {} : { deferred })
    })
  }
}

/** The two parts of a canonical FinalizedBlock of a size that the chain can have. */
function openFinalized(genesis: Genesis, bytes: Uint8Array): FinalizedParts | Failure {
  const early =
    sizeFailure('finalized block', bytes, maxFinalizedBytes(genesis)) ?? canonicalFailure(FINALIZED_BLOCK, bytes)
  if (early !== undefined) return early
  const parts = splitFinalized(bytes)
  return sizeFailure('commit', parts.commit, maxCommitBytes(genesis)) ?? parts
}

/** What the next header must carry: all of it follows from the blocks before. */
export interface NextBlock {
  readonly height: number
  /** Hash of the tip. */
  readonly parentHash: Uint8Array
  /** Root over the hashes of blocks 0 … height−1. */
  readonly mmrRoot: Uint8Array
  /** Computed if `height` is a multiple of the snapshot interval, else the parent's. */
  readonly stateRoot: Uint8Array
  readonly parentTimestamp: number
}

/**
 * Whether the block follows the tip and has no fault at all: the first fault in the order of §7, be it one of its
 * links or one that the stateless checks found.
 */
export function checkLink(_genesis: Genesis, next: NextBlock, block: CheckedBlock): Failure | undefined {
  return firstFailure(linkFailure(next, block), block.deferred)
}

function linkFailure(next: NextBlock, { header }: CheckedBlock): Failure | undefined {
  if (header.height !== next.height) {
    return failure('BAD_HEIGHT', `header's height is ${header.height}; accepted: ${next.height}`)
  }
  const hash = (
    code: 'BAD_PARENT' | 'BAD_MMR_ROOT' | 'BAD_STATE_ROOT',
    name: string,
    has: Uint8Array,
    must: Uint8Array
  ) =>
    equalBytes(has, must)
      ? undefined
      : failure(code, `header's ${name} is ${toHex(has)}; accepted at height ${next.height}: ${toHex(must)}`)
  return (
    hash('BAD_PARENT', 'parent_hash', header.parentHash, next.parentHash) ??
    hash('BAD_MMR_ROOT', 'mmr_root', header.mmrRoot, next.mmrRoot) ??
    hash('BAD_STATE_ROOT', 'state_root', header.stateRoot, next.stateRoot) ??
    (header.timestamp > next.parentTimestamp
      ? undefined
      : failure('BAD_TIMESTAMP', `header's timestamp is ${header.timestamp}; accepted: above ${next.parentTimestamp}`))
  )
}
