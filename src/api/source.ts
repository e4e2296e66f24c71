/**
 * What the API shows and the one thing it takes in. The composition root gives it; the API starts nothing, keeps
 * nothing but waiting requests, and can be served before the node has synced (or has even one peer).
 */
import type { Genesis } from '../chain/genesis.ts'
import type { Header } from '../codec/generated/chain.ts'
import type { PeerView } from '../network/types.ts'

/** The parts of `Ledger` that are shown; the ledger itself fits. Heights and timestamps are numbers, hashes raw bytes. */
export interface ChainView {
  /** The last finalized block; `mmrRoot` is the root after it. */
  readonly tip: {
    readonly height: number
    readonly hash: Uint8Array
    readonly header: Header
    readonly mmrRoot: Uint8Array
  }
  readonly eventTotal: number
  readonly earliestHeight: number
  blockAt(height: number): Promise<StoredBlock | undefined>
  heightOf(hash: Uint8Array): Promise<number | undefined>
  event(id: Uint8Array): Promise<FoundEvent | undefined>
  events(filter: EventFilter, cursor: string | undefined, limit: number): Promise<EventPage>
  evidence(): Promise<readonly EvidenceView[]>
}

export interface StoredBlock {
  readonly hash: Uint8Array
  /** An encoded Block, as it came in. */
  readonly blockBytes: Uint8Array
  /** An encoded Commit; empty for block 0. */
  readonly commitBytes: Uint8Array
}

export interface FoundEvent {
  readonly height: number
  /** Place in its block. */
  readonly index: number
  /** The encoded SignedEvent. */
  readonly bytes: Uint8Array
}

/** Everything given must match. `from` and `to` are block heights, both included. */
export interface EventFilter {
  readonly actor?: Uint8Array | undefined
  readonly resource?: { readonly kind: string; readonly id: string } | undefined
  readonly resourceKind?: string | undefined
  readonly action?: string | undefined
  readonly from?: number | undefined
  readonly to?: number | undefined
}

export interface EventPage {
  readonly events: readonly FoundEvent[]
  /** Where to go on; undefined: that was all. A page may be short, even empty, and still have one: scans are bounded. */
  readonly nextCursor: string | undefined
}

export interface EvidenceView {
  readonly kind: string
  readonly height: number
  /** Unix ms when it was found here. */
  readonly seenAt: number
  /** Public keys of the validators that it is against. */
  readonly validators: readonly Uint8Array[]
  readonly description: string
}

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
   * @param caller whom the quota is counted against
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
