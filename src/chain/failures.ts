/**
 * What can be wrong with a block, an event or a vote: one code for each rule.
 *
 * The lists are in the order of the checks (protocol §7, then §8): cheapest first. Of several faults of one block the
 * one reported is the first of the list, whatever the order in which they were found: `stage` is the place in it.
 */

/** Protocol §7, without the commit. */
const HEADER_CODES = [
  /** The frame, the block, its commit or its count of events is above the limits of the genesis. */
  'TOO_LARGE',
  /** Not the one canonical encoding (protocol §5). */
  'NON_CANONICAL',
  /** `version` is not 1. */
  'BAD_VERSION',
  /** `height` is not the parent's + 1. */
  'BAD_HEIGHT',
  /** `parent_hash` is not the hash of the tip. */
  'BAD_PARENT',
  /** `validators_hash` or `next_validators_hash` is not the hash of the genesis's validators. */
  'BAD_VALIDATORS_HASH',
  /** `event_count` is not the number of events. */
  'BAD_EVENT_COUNT',
  /** `events_root` is not the root over the events. */
  'BAD_EVENTS_ROOT',
  /** `mmr_root` is not the root over all earlier block hashes. */
  'BAD_MMR_ROOT',
  /** `state_root` is neither the computed one (at a snapshot height) nor the parent's (elsewhere). */
  'BAD_STATE_ROOT',
  /** `timestamp` is not above the parent's. */
  'BAD_TIMESTAMP',
  /** `proposer` is not a validator, or not the one whose turn a fresh proposal was. */
  'BAD_PROPOSER',
  /** The seal is not the proposer's signature over the block hash. */
  'BAD_SEAL'
] as const

const PROPOSAL_CODES = [
  /** `valid_round` is not below `round`, or the fields of a proposal contradict the block. */
  'BAD_PROPOSAL',
  /** Not the signature of proposer(height, round). */
  'BAD_PROPOSAL_SIGNATURE'
] as const

const COMMIT_CODES = [
  /** The commit names another height or hash. */
  'COMMIT_WRONG_BLOCK',
  'COMMIT_UNKNOWN_SIGNER',
  'COMMIT_REPEATED_SIGNER',
  /** Signatures are not in genesis order. */
  'COMMIT_WRONG_ORDER',
  /** Fewer than ⌊2N/3⌋+1 signatures. */
  'COMMIT_TOO_FEW',
  /** One of the signatures does not verify; all must. */
  'COMMIT_BAD_SIGNATURE'
] as const

const EVENT_CODES = [
  /** Above `max_event_bytes`. */
  'EVENT_TOO_LARGE',
  /** Not the one canonical encoding of a SignedEvent with a canonical EventBody. */
  'EVENT_MALFORMED',
  /** A field is outside the bounds of protocol §3. */
  'EVENT_BOUNDS',
  /** The genesis lists who may sign events, and the actor is not in the list. */
  'EVENT_ACTOR_UNKNOWN',
  /** The event's timestamp is more than `event_window_ms` from the block's. */
  'EVENT_OUTSIDE_WINDOW',
  /** The event is in the block twice, or in an ancestor. */
  'EVENT_REPEATED',
  'EVENT_BAD_SIGNATURE'
] as const

const VOTE_CODES = [
  /** Not canonical, or of no known type. */
  'VOTE_MALFORMED',
  'VOTE_UNKNOWN_VALIDATOR',
  'VOTE_BAD_SIGNATURE'
] as const

const HISTORY_CODES = [
  /** The block is not the one whose hash is known to be at its height (protocol §11). */
  'BAD_BLOCK_HASH'
] as const

export const FAILURE_CODES = [
  ...HEADER_CODES,
  ...PROPOSAL_CODES,
  ...COMMIT_CODES,
  ...EVENT_CODES,
  ...VOTE_CODES,
  ...HISTORY_CODES
] as const

export type BlockFailureCode =
  | (typeof HEADER_CODES)[number]
  | (typeof PROPOSAL_CODES)[number]
  | (typeof COMMIT_CODES)[number]
  | (typeof HISTORY_CODES)[number]
export type EventFailureCode = (typeof EVENT_CODES)[number]
export type VoteFailureCode = (typeof VOTE_CODES)[number]
export type FailureCode = BlockFailureCode | EventFailureCode | VoteFailureCode

/** Plain data: it crosses threads, logs and the API. */
export interface Failure {
  readonly code: FailureCode
  /** One line: the field, its value, what would do. */
  readonly message: string
  /** Place in the order of checks; the lower one is reported. */
  readonly stage: number
}

const STAGES: ReadonlyMap<FailureCode, number> = new Map(FAILURE_CODES.map((code, stage) => [code, stage]))

export function stageOf(code: FailureCode): number {
  return STAGES.get(code) as number
}

export function failure(code: FailureCode, message: string): Failure {
  return { code, message, stage: stageOf(code) }
}

/** The one that the order of checks meets first. */
export function firstFailure(...failures: readonly (Failure | undefined)[]): Failure | undefined {
  let first: Failure | undefined
  for (const one of failures) {
    if (one !== undefined && (first === undefined || one.stage < first.stage)) first = one
  }
  return first
}
