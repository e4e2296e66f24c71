/** What goes into the scheduler and what comes out of it. Times are milliseconds of one monotonic clock. */

/** Why a request ended. Only a `fault` is the peer's provable wrong. */
export type RequestEnd =
  | { readonly kind: 'complete' }
  /** It asked us to wait; no failure of anybody. */
  | { readonly kind: 'limited'; readonly retryAfterMs: number | undefined }
  /** UNAVAILABLE or NOT_READY: it does not have it. */
  | { readonly kind: 'unavailable'; readonly code: string }
  /** Timeout, reset, closed: may be anybody's. */
  | { readonly kind: 'failed'; readonly code: string }
  /** More than asked, an empty frame: no honest peer does it. */
  | { readonly kind: 'fault'; readonly failure: PeerFailure }

export interface PeerFailure {
  readonly code: string
  readonly message: string
  /** The height it is about. */
  readonly height: number
}

export type SchedulerEvent =
  | { readonly type: 'start' }
  | { readonly type: 'stop' }
  /** A source joined or told us its certified height anew. */
  | { readonly type: 'peer'; readonly peer: string; readonly height: number; readonly earliest: number }
  | { readonly type: 'left'; readonly peer: string }
  /** An operator let the peer in again: its faults are forgotten. */
  | { readonly type: 'pardon'; readonly peer: string }
  /** A certificate for this height was checked. */
  | { readonly type: 'target'; readonly height: number }
  /** The ledger's tip, whoever moved it. */
  | { readonly type: 'tip'; readonly height: number }
  /** One frame. */
  | { readonly type: 'received'; readonly request: number; readonly blocks: number; readonly bytes: number }
  | { readonly type: 'ended'; readonly request: number; readonly end: RequestEnd }
  /** The first `good` blocks, of `goodBytes` wire bytes, passed; `failure` is about the next one. */
  | {
      readonly type: 'verified'
      readonly range: number
      readonly good: number
      readonly goodBytes: number
      readonly failure?: PeerFailure
    }
  /** The checker itself failed and the bytes are gone. */
  | { readonly type: 'verify-failed'; readonly range: number }
  /** The ledger has the first `applied` blocks of the last `commit`; `failure` is about the next one. */
  | { readonly type: 'committed'; readonly applied: number; readonly failure?: PeerFailure }
  /** The ledger could not write; nobody's block is bad. */
  | { readonly type: 'commit-failed' }
  /** Time passed. */
  | { readonly type: 'tick' }

export type SchedulerAction =
  /** Ask `peer` for blocks start … start + count − 1. */
  | {
      readonly type: 'request'
      readonly request: number
      readonly peer: string
      readonly start: number
      readonly count: number
    }
  /** End the stream of this request; what has come of it is kept. */
  | { readonly type: 'stop'; readonly request: number }
  /** End the stream if it is open, and free what came. */
  | { readonly type: 'drop'; readonly request: number }
  /** Check the first `count` blocks that `request` brought (and free the rest of it). */
  | {
      readonly type: 'verify'
      readonly range: number
      readonly request: number
      readonly start: number
      readonly count: number
    }
  /** Write the checked blocks of these ranges: they follow one another, from the lowest that is not written. */
  | { readonly type: 'commit'; readonly ranges: readonly { readonly range: number; readonly peer: string }[] }
  /** Free this range's checked blocks. */
  | { readonly type: 'forget'; readonly range: number }
  /** It provably did wrong. */
  | { readonly type: 'penalise'; readonly peer: string; readonly failure: PeerFailure }
  /** It answered nothing whole: its fault or the link's. */
  | { readonly type: 'failed'; readonly peer: string; readonly failure: PeerFailure }
