import { type Header, Header as HeaderCodec } from '../codec/generated/chain.ts'
import { splitBlock, splitNewBlock } from '../codec/raw.ts'
import { BLOCK, NEW_BLOCK } from '../codec/rules.ts'
import { checkEvents, type EventsOptions } from './check-events.ts'
import {
  atOnce,
  type CheckedBlock,
  type CheckResult,
  canonicalFailure,
  foreignEventsFailure,
  foreignEventsSteps,
  inspectBlock,
  markChecked,
  sealFailure,
  sizeFailure
} from './checked-block.ts'
import { blockHash } from './domain.ts'
import { type Failure, failure } from './failures.ts'
import type { Genesis } from './genesis.ts'
import { checkProposal } from './proposal.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** A block without its commit, its events checked. */
export interface ProposedBlock extends CheckedBlock {
  readonly checked: 'proposal'
  /** Unix ms, one for each event; the window's check wants them. */
  readonly eventTimestamps: readonly number[]
}

const NO_COMMIT: Bytes = new Uint8Array(0)

/**
 * §8's valid(block) but for its links and the uniqueness of its events among ancestors (`Ledger.checkProposal`).
 * Faults of a later stage than the links' are in the block's `deferred`.
 */
export function checkProposed(
  genesis: Genesis,
  blockBytes: Uint8Array,
  options: EventsOptions = {}
): CheckResult<ProposedBlock> {
  const inspected = inspectBlock(genesis, blockBytes, false)
  if ('code' in inspected) return { ok: false, failure: inspected }
  const { header, hash, eventIds, keyHashes } = inspected
  let { deferred } = inspected
  let eventTimestamps: readonly number[] = []
  if (deferred === undefined) {
    const { failure: fault, timestamps } = checkEvents(genesis, header.timestamp, inspected, options)
    deferred = fault
    eventTimestamps = timestamps
  }
  return {
    ok: true,
    block: markChecked({
      checked: 'proposal' as const,
      height: header.height,
      hash,
      header,
      blockBytes: blockBytes as Bytes,
      commitBytes: NO_COMMIT,
      commit: undefined,
      eventIds,
      keyHashes,
      eventTimestamps,
      ...(deferred === undefined ? {} : { deferred })
    })
  }
}

/** What gossip knows of a proposal before it forwards it. Byte strings are views of the payload. */
export interface CheapProposal {
  readonly ok: true
  readonly header: Header
  readonly hash: Bytes
  readonly round: number
  readonly validRound: number | undefined
  readonly blockBytes: Bytes
  /** The proposal signature. */
  readonly signature: Bytes
}

type CheapResult = CheapProposal | { readonly ok: false; readonly failure: Failure }

/** Room for a NewBlock's own fields beside its block. */
const NEW_BLOCK_OVERHEAD_BYTES = 128

/**
 * The checks of §9 that every role makes before it forwards a NewBlock; only their failure is a reject. They find
 * whatever a relay can have changed. What the block says is not looked at: a deeper fault is evidence against the
 * proposer, not against the relay.
 */
export function cheapBlockCheck(genesis: Genesis, newBlockBytes: Uint8Array): CheapResult {
  return atOnce(cheapBlockSteps(genesis, newBlockBytes))
}

/** The same, with pauses between steps of some milliseconds. */
export function* cheapBlockSteps(genesis: Genesis, newBlockBytes: Uint8Array): Generator<void, CheapResult> {
  const { maxBlockBytes } = genesis.params
  const early =
    sizeFailure('new block', newBlockBytes, maxBlockBytes + NEW_BLOCK_OVERHEAD_BYTES) ??
    canonicalFailure(NEW_BLOCK, newBlockBytes)
  if (early !== undefined) return { ok: false, failure: early }
  const { round, validRound, block: blockBytes, signature } = splitNewBlock(newBlockBytes)
  const { header: headerBytes, seal, events } = splitBlock(blockBytes)
  const header = HeaderCodec.decode(headerBytes)
  const hash = blockHash(genesis.hash, header)
  const slot = { height: header.height, round, validRound, blockHash: hash }
  const fault =
    sizeFailure('block', blockBytes, maxBlockBytes) ??
    turnFailure(genesis, header, round, validRound) ??
    sealFailure(genesis, header, hash, seal) ??
    checkProposal(genesis, slot, signature) ??
    // No signature is over the events themselves: last, as it is the longest.
    (yield* foreignEventsSteps(genesis, header, events))
  if (fault !== undefined) return { ok: false, failure: fault }
  return { ok: true, header, hash, round, validRound, blockBytes, signature }
}

/**
 * Of a block that was asked for by its hash: what is wrong with these bytes rather than with every block of that hash.
 * @param hash of `header`, which is the block's
 */
export function foreignBlockFailure(
  genesis: Genesis,
  blockBytes: Uint8Array,
  header: Header,
  hash: Uint8Array
): Failure | undefined {
  const malformed = canonicalFailure(BLOCK, blockBytes)
  if (malformed !== undefined) return malformed
  const { seal, events } = splitBlock(blockBytes)
  const unsealed = sealFailure(genesis, header, hash, seal)
  // Who it says it is by is under its hash.
  if (unsealed !== undefined && unsealed.code !== 'BAD_PROPOSER') return unsealed
  return foreignEventsFailure(genesis, header, events)
}

/** A fresh proposal is by the one whose turn it is; a re-proposal keeps the header that an earlier proposer made. */
function turnFailure(
  genesis: Genesis,
  header: Header,
  round: number,
  validRound: number | undefined
): Failure | undefined {
  if (validRound !== undefined) return undefined
  const { validators } = genesis
  const turn = validators.proposer(header.height, round)
  if (validators.indexOf(header.proposer) === turn) return undefined
  return failure(
    'BAD_PROPOSER',
    `fresh proposal of round ${round} is not by ${validators.names[turn]}, whose turn it was`
  )
}
