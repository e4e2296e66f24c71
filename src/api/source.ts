/**
 * What the API shows and the one thing it takes in. The composition root gives it; the API starts nothing, keeps
 * nothing but waiting requests, and can be served before the node has synced (or has even one peer).
 */
import type { Genesis } from '../chain/genesis.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { PeerView } from '../network/types.ts'

/** The parts of the ledger that are shown. */
export type ChainView = Pick<
  Ledger,
  | 'tip'
  | 'eventTotal'
  | 'earliestHeight'
  | 'blockAt'
  | 'heightOf'
  | 'event'
  | 'events'
  | 'expiredEvent'
  | 'expiredEvents'
  | 'evidence'
>

export interface SyncView {
  readonly strategy: string
  readonly height: number
  readonly targetHeight: number
  readonly blocksPerSecond: number
  readonly bytesPerSecond: number
  /** Undefined: not known. */
  readonly etaSeconds: number | undefined
  /** Peers that are downloaded from. */
  readonly peers: number
  /** `since` in Unix ms. */
  readonly stalled: { readonly since: number; readonly code: string; readonly message: string } | undefined
  /** The last range sync that ended: blocks from + 1 … to, from so many peers. */
  readonly lastRun?:
    | { readonly from: number; readonly to: number; readonly seconds: number; readonly peersUsed: number }
    | undefined
}

/** The block proposed above the finalized tip. */
export interface PendingView {
  readonly height: number
  readonly hash: Uint8Array
  readonly round: number
  /** Precommits of the best single round. */
  readonly signatures: number
  readonly needed: number
}

export interface ApiSource {
  readonly version: string
  readonly genesis: Genesis
  readonly peerId: string
  /** A validator signs; an observer follows the same rules without a key. */
  readonly role: 'validator' | 'observer'
  readonly mode: string
  /** This node's public keys that others need to know, hex. */
  readonly chainKey: string
  /** Seconds since the node started. */
  readonly uptimeSeconds: () => number
  readonly chain: ChainView
  /** Live sessions. */
  readonly peers: () => readonly PeerView[]
  /** Listen addresses with the peer id. */
  readonly addresses: () => readonly string[]
  readonly sync: () => SyncView
  readonly pending: () => PendingView | undefined
  readonly mempool: () => { readonly events: number; readonly bytes: number }
  /** Why this node is of no use until somebody looks at it (two commits for one height, a full disk); undefined: it works. */
  readonly fault: () => { readonly code: string; readonly message: string } | undefined
  /**
   * Takes one encoded SignedEvent in; it is on disk when this resolves.
   * @param caller IP address of whom the quota is counted against
   * @throws MolochError with an EventFailureCode, or MEMPOOL_FULL
   */
  readonly submit: (signedEvent: Uint8Array, caller: string) => Promise<SubmittedView>
  /** Whether the event waits in the mempool. */
  readonly isPending: (id: Uint8Array) => boolean
  /** Calls back after each finalized block with its event ids (32·n bytes, flat). Returns the unsubscriber. */
  readonly onFinalized: (listener: (block: { height: number; eventIds: Uint8Array }) => void) => () => void
}

export interface SubmittedView {
  readonly id: Uint8Array
  readonly status: 'pending' | 'finalized'
}
