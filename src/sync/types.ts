import type { Failure } from '../chain/failures.ts'
import type { Log } from '../log.ts'
import type { RangeKind } from './policy/kind.ts'
import type { RangeStatus } from './range.ts'

/** What sync brings to the tip, one a height, each with its certificate: a whole block, or a header alone. */
export interface Syncable {
  readonly height: number
  readonly hash: Uint8Array
  readonly header: { readonly parentHash: Uint8Array }
  /** A fault that its own check found, of a later stage than the links. */
  readonly deferred?: Fault
}

export type Fault = Pick<Failure, 'code' | 'message'>

export type ItemCheck<Item> =
  | { readonly ok: true; readonly item: Item }
  | { readonly ok: false; readonly failure: Fault }

/** What sync needs of the ledger, or of a light node's chain of headers. */
export interface SyncLedger<Item extends Syncable> {
  readonly tip: { readonly height: number; readonly hash: Uint8Array }
  /**
   * Links and writes items in order, as far as they are good; knows the ones it has. `failure.index` is the first bad
   * one. Throws when it could not write.
   */
  apply(items: Item[]): Promise<ApplyOutcome>
}

export interface ApplyOutcome {
  readonly applied: number
  readonly failure?: { readonly index: number; readonly failure: Fault } | undefined
}

/**
 * Encoded items start … start + count − 1 of one peer, a frame at a time. A prefix is a valid answer. Throws
 * MolochError with a network code; RATE_LIMITED has `details.retryAfterMs`.
 */
export type Fetch = (
  peer: string,
  range: { readonly start: number; readonly count: number },
  signal: AbortSignal
) => AsyncIterable<Uint8Array[]>

/** What is synced: where it comes from and how it is checked (blocks.ts, headers.ts). */
export interface SyncItems<Item extends Syncable> {
  readonly kind: RangeKind
  readonly fetch: Fetch
  /**
   * The stateless checks of each encoded item, in order. Throws if the checker failed: nobody's item is bad.
   * @param certificateOnly what is not needed to believe its certificate is not checked
   */
  check(frames: readonly Uint8Array[], certificateOnly: boolean): Promise<ItemCheck<Item>[]>
  /** What an item came as. */
  wireBytes(item: Item): number
}

export interface SyncPorts<Item extends Syncable> {
  readonly ledger: SyncLedger<Item>
  readonly items: SyncItems<Item>
  readonly log: Log
}

export interface SyncOptions {
  /** Bytes of one frame at most: `frameLimit` of the chain's `max_block_bytes`. */
  readonly frameBytes: number
  /** Default 64 MiB. */
  readonly lookAheadBytes?: number
  /** Default 2. */
  readonly requestsPerPeer?: number
  /** Without a written block for this long, while behind, sync counts as stalled. Default 10 s. */
  readonly stallAfterMs?: number
  /** Behind by a single block for this long, sync fetches it. Default 5 s. */
  readonly lagMs?: number
  /** A short catch-up with few peers waits this long for more of them before it asks the first. Default 0.5 s. */
  readonly gatherMs?: number
  /** Milliseconds, never going back, and near Unix time. Default: performance.timeOrigin + performance.now(). */
  readonly now?: () => number
  /** Uniform in [0, 1). Default Math.random. */
  readonly random?: () => number
}

/** A peer that may be asked for heights `earliest` … `height`; `height` is certified. */
export interface SyncPeer {
  readonly id: string
  readonly height: number
  readonly earliest: number
}

export type StallCode =
  /** Two commits for one height: the chain's safety assumption is broken. Sync does not go on. */
  | 'CONFLICTING_FINALITY'
  /** The ledger could not write. */
  | 'LEDGER_FAILED'
  /** The checker failed. */
  | 'VERIFY_FAILED'
  /** Nobody is connected. */
  | 'NO_PEERS'
  /** Nobody who is connected holds the next block. */
  | 'NO_SOURCE'
  /** All who hold it have asked us to wait. */
  | 'RATE_LIMITED'
  /** All who hold it have failed, and are tried again. */
  | 'PEERS_FAILING'
  /** It is being fetched, checked or written, and that takes long. */
  | 'NO_PROGRESS'

export interface Stall {
  /** Unix ms. */
  readonly since: number
  readonly code: StallCode
  /** One line: the height, the reason, and what would help. */
  readonly message: string
}

export interface RangeView {
  readonly start: number
  readonly count: number
  readonly status: RangeStatus
  /** How long it has had this status. */
  readonly seconds: number
  /** Requests made for it so far. */
  readonly attempts: number
  /** The requests that are out for it, or the one that brought it. */
  readonly peers: readonly RangePeerView[]
}

export interface RangePeerView {
  readonly peer: string
  /** Since it was asked; undefined once it has answered. */
  readonly seconds: number | undefined
  /** Wire bytes that have come. */
  readonly bytes: number
}

/** One run of range sync from start to caught up. */
export interface SyncRun {
  readonly from: number
  readonly to: number
  readonly seconds: number
  /** Peers whose blocks were written. */
  readonly peersUsed: number
}

/** All that the API, the log, the terminal and tests see of sync. */
export interface SyncState {
  readonly strategy: 'range' | 'gossip'
  readonly height: number
  /** The highest height with a checked certificate. */
  readonly targetHeight: number
  /** Of headers, if headers are synced. */
  readonly blocksPerSecond: number
  /** Wire bytes of what was written. */
  readonly bytesPerSecond: number
  readonly etaSeconds: number | undefined
  /** Peers that may be asked. */
  readonly peers: number
  /** Bytes counted against the look-ahead bound. */
  readonly heldBytes: number
  /** That bound. */
  readonly boundBytes: number
  readonly stalled: Stall | undefined
  readonly ranges: readonly RangeView[]
  readonly lastRun: SyncRun | undefined
}
