/**
 * What the API shows and the one thing it takes in. The composition root gives it; the API starts nothing, keeps
 * nothing but waiting requests, and can be served before the node has synced (or has even one peer).
 */
import type { Genesis } from '../chain/genesis.ts'
import type { Header } from '../codec/generated/chain.ts'
import type { GetProof, Proof } from '../codec/generated/sync.ts'
import type { OutlookView } from '../consensus/stall-monitor.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { HeldPeer, PeerView, TopicView } from '../network/types.ts'

/** The parts of the ledger that are shown. */
export interface ChainView extends BlocksView {
  /** Null: this node does not see events. */
  readonly eventTotal: number | null
}

type BlocksView = Pick<
  Ledger,
  | 'tip'
  | 'earliestHeight'
  | 'holdsAll'
  | 'sealedHeaderAt'
  | 'blockAt'
  | 'heightOf'
  | 'event'
  | 'events'
  | 'expiredEvent'
  | 'expiredEvents'
  | 'passedEvent'
  | 'passedEvents'
  | 'heightOfEvent'
  | 'evidencePage'
>

/** A run of heights on its way from peers to the disk. */
export interface RangeView {
  readonly start: number
  readonly count: number
  readonly status: string
  readonly seconds: number
  readonly attempts: number
  readonly peers: readonly { readonly peer: string; readonly seconds: number | undefined; readonly bytes: number }[]
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
  /** Bytes downloaded and not yet stored, and their bound. */
  readonly heldBytes: number
  readonly boundBytes: number
  readonly ranges: readonly RangeView[]
  /** `since` in Unix ms. */
  readonly stalled: { readonly since: number; readonly code: string; readonly message: string } | undefined
  /** The last range sync that ended: blocks from + 1 … to, from so many peers. */
  readonly lastRun?:
    | { readonly from: number; readonly to: number; readonly seconds: number; readonly peersUsed: number }
    | undefined
  /** Undefined: this node does not warp now. */
  readonly warp?: WarpView | undefined
  /** Undefined: it fills in no history. */
  readonly backfill?: BackfillView | undefined
}

/** A snapshot on its way. */
export interface WarpView {
  readonly phase: string
  /** Of the snapshot, once one is chosen. */
  readonly height?: number
  readonly chunks?: number
  /** Checked and on disk, or imported. */
  readonly chunksDone?: number
}

/** The history below the snapshot that the node began at. */
export interface BackfillView {
  readonly status: string
  /** From here up blocks are served. */
  readonly earliest: number
  /** Blocks below this one are history; undefined once it is complete. */
  readonly base: number | undefined
  /** Blocks that are held, with certificates that are not verified yet. */
  readonly uncertified: number
  readonly missing: number
  readonly blocksPerSecond: number
  readonly bytesPerSecond: number
  /** Until all is held; undefined: not known. */
  readonly etaSeconds: number | undefined
  readonly fault: { readonly code: string; readonly message: string } | undefined
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
  /** What the chain waits for at this node, and what is known of clocks; undefined: it does not follow the chain yet. */
  readonly outlook: () => OutlookView | undefined
  /** Why this validator signs nothing now, the message after "this validator"; undefined: it signs, or is none. */
  readonly abstains?: () => { readonly code: string; readonly message: string } | undefined
  /** That another running node uses this node's peer key, and since when (Unix ms); undefined: nothing shows it. */
  readonly keyInUse?: () => { readonly since: number; readonly message: string } | undefined
  /** This node's public keys that others need to know, hex. */
  readonly chainKey: string
  /** Seconds since the node started. */
  readonly uptimeSeconds: () => number
  readonly chain: ChainView
  /** The block that others may start from. @throws MolochError NOT_READY: there is none yet that this node vouches for */
  readonly checkpoint: () => Pick<Ledger['tip'], 'height' | 'hash' | 'header'>
  /** The block of the newest snapshot that peers can have from here; undefined: there is none. */
  readonly snapshot?: () => { readonly height: number; readonly hash: Uint8Array } | undefined
  /** Absent: this node can give no proofs. */
  readonly proofs?: ProofSource
  /** What a light node's trust rests on; undefined at a node that holds blocks. */
  readonly light?: () => LightView
  /** Live sessions. */
  readonly peers: () => readonly PeerView[]
  readonly peerBook: PeerBook
  /** Gossip topics that this node follows. */
  readonly topics: () => readonly TopicView[]
  /** Listen addresses with the peer id. */
  readonly addresses: () => readonly string[]
  readonly sync: () => SyncView
  readonly pending: () => PendingView | undefined
  readonly mempool: () => { readonly events: number; readonly bytes: number }
  /** The log: lines that nobody took, and why the newest were not; undefined: lines are taken. Absent: there is none. */
  readonly log?: { readonly lost: number; readonly fault: string | undefined }
  /** Why this node is of no use until somebody looks at it (two commits for one height, a full disk); undefined: it works. */
  readonly fault: () => { readonly code: string; readonly message: string } | undefined
  /**
   * Takes one encoded SignedEvent in; it is on disk when this resolves.
   * @param caller IP address of whom the quota is counted against
   * @throws MolochError with an EventFailureCode, MEMPOOL_FULL or BUSY
   */
  readonly submit: (signedEvent: Uint8Array, caller: string) => Promise<SubmittedView>
  /** Whether the event waits in the mempool. */
  readonly isPending: (id: Uint8Array) => boolean
  /** Calls back after each finalized block with its event ids (32·n bytes, flat). Returns the unsubscriber. */
  readonly onFinalized: (listener: (block: { height: number; eventIds: Uint8Array }) => void) => () => void
}

export interface LightView {
  /** The block that somebody trusted to begin with; `timestamp` in Unix ms. Undefined: no peer has shown it yet. */
  readonly checkpoint: { readonly height: number; readonly hash: Uint8Array; readonly timestamp: number } | undefined
  /** When the tip was last compared: how many peers were asked, and those that showed the same header. */
  readonly crossCheck:
    | { readonly height: number; readonly asked: number; readonly peers: readonly string[]; readonly at: number }
    | undefined
}

/** Where proofs come from: the node's own chain, or peers, checked. */
export interface ProofSource {
  /**
   * Exactly one of the answer's fields is set. Anchor 0 is the header of the block itself; of a history the newest that
   * can be had. A history comes a page an answer.
   * @throws MolochError UNKNOWN_EVENT | ANCHOR_TOO_OLD | UNAVAILABLE | NOT_READY | RATE_LIMITED | BAD_REQUEST
   */
  readonly prove: (request: GetProof) => Promise<Proof>
  /** A header that this node trusts. */
  readonly headerAt: (height: number) => Promise<{ readonly header: Header; readonly hash: Uint8Array } | undefined>
}

/** What operators may do about peers. */
export interface PeerBook {
  /** Peers that are neither dialled nor let in. */
  held(): readonly HeldPeer[]
  /** Peers whose address is known. */
  readonly knownPeers: number
  /** Connects to an address and keeps it. @returns the peer id @throws MolochError BAD_ADDRESS | DIAL_FAILED */
  dial(address: string): Promise<string>
  /** @throws MolochError BAD_PEER_ID */
  ban(peerId: string, ms: number, reason: string): HeldPeer
  /** @returns false if it was not held out */
  unban(peerId: string): boolean
}

export interface SubmittedView {
  readonly id: Uint8Array
  readonly status: 'pending' | 'finalized'
}
