/** Chain parameters: part of the genesis, the same at every node for the life of the chain (protocol §2). */

export interface Params {
  /** Pace of blocks while events wait. */
  readonly blockIntervalMs: number
  /** Pace of blocks while none do. */
  readonly emptyBlockIntervalMs: number
  /** Of the encoded Block. */
  readonly maxBlockBytes: number
  readonly maxBlockEvents: number
  /** Of the encoded SignedEvent. */
  readonly maxEventBytes: number
  /** W: an event may be in a block whose timestamp is at most this far from its own. */
  readonly eventWindowMs: number
  /** Heights that are multiples of it carry a newly computed state root. */
  readonly snapshotInterval: number
  readonly timeoutProposeMs: number
  readonly timeoutPrevoteMs: number
  readonly timeoutPrecommitMs: number
  /** Added to each timeout for each round after the first. */
  readonly timeoutDeltaMs: number
}

export const DEFAULT_PARAMS: Params = {
  blockIntervalMs: 1000,
  emptyBlockIntervalMs: 5000,
  maxBlockBytes: 1 << 20,
  maxBlockEvents: 10_000,
  maxEventBytes: 16 << 10,
  eventWindowMs: 600_000,
  snapshotInterval: 100,
  timeoutProposeMs: 1000,
  timeoutPrevoteMs: 500,
  timeoutPrecommitMs: 500,
  timeoutDeltaMs: 250
}

export interface ParamRule {
  /** The key in genesis JSON. */
  readonly key: string
  readonly min: number
  readonly max: number
}

/** A slower chain than this is a slip of units. */
const LONGEST_INTERVAL_MS = 3_600_000
/** A round that waits longer is no help to liveness. */
const LONGEST_TIMEOUT_MS = 600_000

/** What is accepted for each parameter; both ends included. */
export const PARAM_RULES: Readonly<Record<keyof Params, ParamRule>> = {
  blockIntervalMs: { key: 'block_interval_ms', min: 1, max: LONGEST_INTERVAL_MS },
  emptyBlockIntervalMs: { key: 'empty_block_interval_ms', min: 1, max: LONGEST_INTERVAL_MS },
  // At most 2 MiB: a frame holds one block with its commit, and every peer buffers frames.
  maxBlockBytes: { key: 'max_block_bytes', min: 4 << 10, max: 2 << 20 },
  // 2 MiB holds fewer than this many of the smallest events; above it the limit would say nothing.
  maxBlockEvents: { key: 'max_block_events', min: 1, max: 20_000 },
  maxEventBytes: { key: 'max_event_bytes', min: 1 << 10, max: 256 << 10 },
  // The ids of two windows are held in memory by every validator.
  eventWindowMs: { key: 'event_window_ms', min: 1000, max: 86_400_000 },
  snapshotInterval: { key: 'snapshot_interval', min: 1, max: 1_000_000 },
  timeoutProposeMs: { key: 'timeout_propose_ms', min: 1, max: LONGEST_TIMEOUT_MS },
  timeoutPrevoteMs: { key: 'timeout_prevote_ms', min: 1, max: LONGEST_TIMEOUT_MS },
  timeoutPrecommitMs: { key: 'timeout_precommit_ms', min: 1, max: LONGEST_TIMEOUT_MS },
  // 0 would let rounds stay shorter than the network's delay for ever.
  timeoutDeltaMs: { key: 'timeout_delta_ms', min: 1, max: LONGEST_TIMEOUT_MS }
}

export const PARAM_NAMES = Object.keys(PARAM_RULES) as readonly (keyof Params)[]

/** What a block leaves beside an event of the largest size: the genesis keeps `max_event_bytes` this far below. */
export const BLOCK_OVERHEAD_BYTES = 1 << 10
/** Room that a block needs beside its events, each of which has a tag and a length of its own: header and seal, < 400. */
export const HEADER_AND_SEAL_BYTES = 512

/** Parameters as genesis JSON has them. */
export function paramsToJson(params: Params): Record<string, number> {
  return Object.fromEntries(PARAM_NAMES.map((name) => [PARAM_RULES[name].key, params[name]]))
}
