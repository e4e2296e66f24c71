import type { PeerFailure, RequestEnd } from '../events.ts'

/** What goes into the piece scheduler and what comes out of it. Times are milliseconds of one monotonic clock. */
export type PieceEvent =
  | { readonly type: 'start' }
  /** Nothing is asked for until `start`; what is out is called off. */
  | { readonly type: 'stop' }
  /** The peer has pieces `from` … `to`, as far as it says. */
  | { readonly type: 'peer'; readonly peer: string; readonly from: number; readonly to: number }
  | { readonly type: 'left'; readonly peer: string }
  /** An operator let the peer in again: its faults are forgotten. */
  | { readonly type: 'pardon'; readonly peer: string }
  /** Bytes of the piece came and are good so far. */
  | { readonly type: 'received'; readonly request: number; readonly bytes: number }
  /** The whole piece was checked and is on disk; the request may have been called off meanwhile. */
  | { readonly type: 'stored'; readonly request: number; readonly piece: number }
  /** It ended before that. `complete`: with a part that is on disk, so that less of the piece is missing. */
  | { readonly type: 'ended'; readonly request: number; readonly end: RequestEnd }
  /** Something that it sent earlier was found to be bad. */
  | { readonly type: 'fault'; readonly peer: string; readonly failure: PeerFailure }
  | { readonly type: 'tick' }

/** A piece is to be asked of a peer. */
export type PieceFetch = Extract<PieceAction, { type: 'fetch' }>

export type PieceAction =
  | { readonly type: 'fetch'; readonly request: number; readonly peer: string; readonly piece: number }
  /** Somebody else brought it, or its sender lied. */
  | { readonly type: 'cancel'; readonly request: number }
  /** It provably did wrong. */
  | { readonly type: 'penalise'; readonly peer: string; readonly failure: PeerFailure }
  /** It gave no whole answer: its fault or the link's. */
  | { readonly type: 'failed'; readonly peer: string; readonly failure: PeerFailure }
