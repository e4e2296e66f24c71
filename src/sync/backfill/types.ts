import type { CheckResult } from '../../chain/check-block.ts'
import type { HeaderCheck } from '../../chain/check-header.ts'
import type { Genesis } from '../../chain/genesis.ts'
import type { Header } from '../../codec/generated/chain.ts'
import type { History } from '../../ledger/history.ts'
import type { Log } from '../../log.ts'
import type { Fetch } from '../types.ts'

/** What backfill needs of the verify pool. */
export interface HistoryChecker {
  checkHistory(frames: readonly Uint8Array[]): Promise<CheckResult[]>
  checkHeaders(frames: readonly Uint8Array[]): Promise<HeaderCheck[]>
}

export interface BackfillPorts {
  readonly genesis: Genesis
  readonly history: History
  readonly checker: HistoryChecker
  /** FinalizedBlocks of one peer. */
  readonly blocks: Fetch
  /** Encoded TrustedHeaders of one peer. */
  readonly headers: Fetch
  /** Of a block that is held. */
  readonly headerAt: (height: number) => Promise<{ readonly header: Header } | undefined>
  /** Whether something goes on that must not be held up: range sync, for one. Asked ten times a second. */
  readonly busy: () => boolean
  readonly log: Log
}

export interface BackfillOptions {
  /** Heights of one piece: what is asked of one peer at once. Default 256. */
  readonly pieceHeights?: number
  /** Default 2. */
  readonly requestsPerPeer?: number
  /** Milliseconds of a clock that never goes back. Default performance.now(). */
  readonly now?: () => number
  /** Uniform in [0, 1). Default Math.random. */
  readonly random?: () => number
}

export type BackfillStatus =
  /** Not started, or stopped. */
  | 'stopped'
  /** Gives way to something else. */
  | 'paused'
  /** Blocks come in. */
  | 'fetching'
  /** Certificates of held blocks are verified. */
  | 'certifying'
  /** All is held and certified; the state is folded again from genesis to compare it. */
  | 'checking'
  /** Nobody can be asked for what is missing. */
  | 'waiting'
  /** All history is held, certified and checked; or there never was any to fill in. */
  | 'done'

export interface BackfillFault {
  readonly code: /** The ledger could not write or read. Backfill does not go on. */
    | 'LEDGER_FAILED'
    /** The checker failed; it is tried again. */
    | 'VERIFY_FAILED'
    /** Nobody gave a certificate that verifies for a block that is held; it is tried again. */
    | 'NO_CERTIFICATE'
    /** The events do not come to the state of the checkpoint: the disk is broken. Backfill does not go on. */
    | 'HISTORY_MISMATCH'
  /** One line. */
  readonly message: string
}

/** All that the API, the log and tests see of backfill. */
export interface BackfillState {
  readonly status: BackfillStatus
  /** From here up blocks are served. */
  readonly earliest: number
  /** Blocks below this one are history; undefined once it is done. */
  readonly base: number | undefined
  /** Blocks below `earliest` that are held, with certificates that are not verified yet. */
  readonly uncertified: number
  /** Blocks that are not held. */
  readonly missing: number
  readonly blocksPerSecond: number
  /** Wire bytes. */
  readonly bytesPerSecond: number
  /** Until all is held; undefined: nothing comes. */
  readonly etaSeconds: number | undefined
  /** Peers that may be asked. */
  readonly peers: number
  /** Requests that are out. */
  readonly requests: number
  readonly fault: BackfillFault | undefined
}
