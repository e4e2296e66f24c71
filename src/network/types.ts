/**
 * What the floors above the network see of it. Peer ids are strings (base58 of the multihash); heights that count are
 * certified ones: a commit of the genesis's validators was verified for them.
 */
import type { TopicRules } from '../chain/gossip-rules.ts'
import type { Commit, Header } from '../codec/generated/chain.ts'
import type { GetProof, GetVotes, Proof, RawVotes } from '../codec/generated/sync.ts'
import type { Hold } from '../store/peer-store.ts'
import type { ClockReading } from './clock-reading.ts'
import type { PeerGossip } from './gossip-admission.ts'
import type { TopicCounts } from './gossip-counters.ts'
import type { KeyInUse } from './own-key.ts'
import type { Fault } from './penalties.ts'
import type { RequestOptions } from './request-options.ts'
import type { SnapshotPorts, SnapshotRequests } from './snapshot-ports.ts'

export type { GetProof, GetVotes, Proof, RawVotes }

/** How a node takes part (Hello.mode). Only FULL and WARP peers are sync sources. */
export type NodeMode = 'FULL' | 'LIGHT' | 'WARP' | 'OBSERVER'

/** The peer session of protocol §13, seen from our side: SYNCING = we are behind this peer. */
export type SessionState = 'CONNECTING' | 'HANDSHAKING' | 'DETERMINING' | 'SYNCING' | 'SYNCED' | 'PROVIDING' | 'CLOSED'

export type Topic = 'events' | 'block' | 'vote' | 'finalized' | 'header'

/** What a peer's fault ends in. See verdicts.ts for the table from codes to these. */
export type PeerVerdict = 'ignore' | 'penalise' | 'disconnect' | 'ban'

export type GoodbyeName = 'SHUTDOWN' | 'OTHER_CHAIN' | 'TOO_MANY_PEERS' | 'BANNED' | 'FAULT'

export type NetworkErrorCode =
  /** The peer answered nothing, or nothing more, in time. */
  | 'PEER_TIMEOUT'
  /** The connection or stream ended before the answer did. */
  | 'PEER_CLOSED'
  /** Not connected to that peer, or it has not passed Hello. */
  | 'PEER_UNKNOWN'
  /** The peer does not speak the protocol asked for. */
  | 'PEER_UNSUPPORTED'
  /** A frame above the limit, declared or sent. */
  | 'FRAME_TOO_LARGE'
  /** Bytes that are no frame or no message of the protocol, or more of them than the protocol has. */
  | 'BAD_FRAME'
  /** More blocks, bytes or frames than were asked for. */
  | 'TOO_MUCH'
  /** The caller's signal fired. */
  | 'ABORTED'
  /** Refusals: what the peer's answer says (`details.retryAfterMs` with RATE_LIMITED). */
  | 'RATE_LIMITED'
  | 'UNAVAILABLE'
  | 'BAD_REQUEST'
  | 'NOT_READY'
  | 'WRONG_CHAIN'
  | 'WRONG_GENESIS'
  | 'WRONG_VERSION'
  | 'BAD_SIGNATURE'
  | 'KEY_IN_USE'
  | 'UNKNOWN_EVENT'
  | 'ANCHOR_TOO_OLD'
  /** A publish above what gossipsub carries (libp2p alone would drop it in silence). */
  | 'MESSAGE_TOO_LARGE'
  /** dial(): the address is no multiaddr, or nobody answered there. */
  | 'BAD_ADDRESS'
  | 'DIAL_FAILED'
  /** A listen address could not be bound. */
  | 'LISTEN_FAILED'
  | 'BAD_PEER_KEY'
  /** No peer id, or our own. */
  | 'BAD_PEER_ID'
  | 'NOT_STARTED'

/** One peer, as `peers`, the API and the dashboard show it. A plain snapshot: it does not change after it was made. */
export interface PeerView {
  readonly peerId: string
  /** The multiaddr of the connection. */
  readonly address: string
  readonly direction: 'inbound' | 'outbound'
  readonly state: SessionState
  /** The highest height this peer has shown a commit for (or ≤ our own tip, where none is needed); 0 before a Status. */
  readonly height: number
  /** What it says; counts for nothing. */
  readonly claimedHeight: number
  readonly headHash: Uint8Array | undefined
  /** It holds blocks from here up. */
  readonly earliestHeight: number
  readonly mode: NodeMode | undefined
  /** FULL or WARP and past Hello: may be asked for blocks. */
  readonly source: boolean
  /** Hex; only once proven by an Ack to our own nonce. */
  readonly chainKey: string | undefined
  readonly userAgent: string | undefined
  /** The peer's own words about itself. */
  readonly syncing: boolean
  readonly peerCount: number
  /** gossipsub's score; 0 when unknown. */
  readonly score: number
  /** What became of the gossip messages that it was the first to bring. */
  readonly gossip: PeerGossip
  /** Our own points for its faults, decaying (verdicts.ts). */
  readonly points: number
  /** Its last fault, while it has points. */
  readonly fault: Fault | undefined
  /** Unix ms. */
  readonly connectedAt: number
  /** Unix ms of the last Status; 0 = none. */
  readonly statusAt: number
  /** The peer's own word about its clock; undefined: it gave none. */
  readonly clock: ClockReading | undefined
  /** Why it was closed. */
  readonly reason: string | undefined
}

/** A gossip topic as this node sees it. */
export interface TopicView {
  readonly topic: Topic
  /** Its name on the wire. */
  readonly id: string
  /** Peers that full messages are exchanged with. */
  readonly mesh: readonly string[]
  /** Peers that follow it. */
  readonly subscribers: readonly string[]
  readonly counts: TopicCounts
}

/** A peer that is held out, by the table of verdicts or by an operator (code OPERATOR). */
export interface HeldPeer extends Hold {
  readonly peerId: string
}

export interface Sessions {
  /** Live sessions (all but CLOSED). */
  list(): PeerView[]
  get(peerId: string): PeerView | undefined
  /** How many live sessions are in each state. */
  counts(): Record<SessionState, number>
  /**
   * `ready`: Hello passed both ways and the first Status is in. `update`: state, height or anything else shown has
   * changed. `closed`: gone; the view's state is CLOSED and `reason` says why.
   */
  on(name: 'ready' | 'update' | 'closed', listener: (peer: PeerView) => void): () => void
}

/** What our node says of itself; asked each time it is needed, so it must be cheap. */
export interface Head {
  readonly height: number
  readonly hash: Uint8Array
  /** The root after `height`: what header height+1 must carry. */
  readonly mmrRoot: Uint8Array
  readonly header: Header
  /** Undefined at height 0 only. */
  readonly commit: Commit | undefined
  readonly earliestHeight: number
  readonly syncing: boolean
}

/** The few functions the network needs of the chain; the composition root gives them. */
export interface NetworkPorts {
  head(): Head
  /**
   * Stored FinalizedBlock bytes from `start` up, in order, at most `count` and about `maxBytes` (at least one block if
   * it is held). Ends early where the chain does. Read lazily: the network asks for the next when the peer has room.
   */
  readBlocks(start: number, count: number, maxBytes: number): AsyncIterable<Uint8Array>
  readVotes(request: GetVotes): Promise<RawVotes>
  /** Absent: this node proves nothing, and does not speak the protocols of light clients. */
  readonly proving?: ProvingPorts
  /** Absent: this node has no snapshots, and does not speak their protocol. */
  readonly snapshots?: SnapshotPorts
}

/** One frame of an answer to GetHeaders: views on one buffer of their own. */
export interface HeadersFrame {
  /** Of the range over the blocks before `start`, largest first; with the first frame only. */
  readonly peaks: readonly Uint8Array[]
  /** Encoded TrustedHeaders. */
  readonly headers: Uint8Array[]
}

/** What a node that holds the chain answers light clients with. */
export interface ProvingPorts {
  /** Encoded TrustedHeaders from `start` (≥ 1) up, in order, at most `count`; ends early where the chain does. */
  readHeaders(start: number, count: number): AsyncIterable<Uint8Array>
  /** Peaks of the range over blocks 0 … leafCount − 1, largest first. */
  readPeaks(leafCount: number): Promise<Uint8Array[]>
  /**
   * Exactly one of the answer's fields is set.
   * @param onRead called with how many bytes were read for it, if they may be many: the peer is charged for them
   * @throws MolochError UNKNOWN_EVENT | ANCHOR_TOO_OLD | UNAVAILABLE | NOT_READY | RATE_LIMITED | BAD_REQUEST
   */
  prove(request: GetProof, onRead?: (bytes: number) => void): Promise<Proof>
}

/** What a light client asks of peers. */
export interface ProofRequests {
  /**
   * TrustedHeaders start … start+count−1 of one peer, a frame at a time; bounded in count, bytes and time but not
   * checked otherwise; a prefix is a valid answer.
   * @throws MolochError with a NetworkErrorCode
   */
  getHeaders(
    peerId: string,
    range: { start: number; count: number },
    options?: RequestOptions
  ): AsyncGenerator<HeadersFrame, void, undefined>
  /** Canonical, and of the kind asked for; nothing else is checked. @throws MolochError with a NetworkErrorCode */
  getProof(peerId: string, request: GetProof, options?: RequestOptions): Promise<Proof>
}

export interface Network extends ProofRequests, SnapshotRequests {
  readonly peerId: string
  readonly sessions: Sessions
  /** @throws MolochError LISTEN_FAILED */
  start(): Promise<void>
  /** Says goodbye to all and leaves no handle behind. */
  stop(): Promise<void>
  /** Listen addresses with our peer id, as others can dial them. */
  addresses(): string[]
  /**
   * Connects once; the Hello follows by itself and shows in `sessions`. @returns the peer id
   * @throws MolochError BAD_ADDRESS | DIAL_FAILED
   */
  dial(address: string): Promise<string>
  /**
   * Asks one peer for blocks start … start+count−1. Each value is one frame's FinalizedBlocks: views on one buffer of
   * their own (it may be transferred). The next frame is read only when asked for. What comes back is bounded in count,
   * bytes and time but not checked otherwise; a prefix is a valid answer.
   * @throws MolochError with a NetworkErrorCode
   */
  getBlocks(
    peerId: string,
    range: { start: number; count: number },
    options?: RequestOptions
  ): AsyncGenerator<Uint8Array[], void, undefined>
  /** @throws MolochError with a NetworkErrorCode */
  getVotes(peerId: string, request: GetVotes, options?: RequestOptions): Promise<RawVotes>
  /**
   * Resolves with how many peers it was sent to (0: none subscribed yet, or known already).
   * @throws MolochError MESSAGE_TOO_LARGE
   */
  publish(topic: Topic, payload: Uint8Array): Promise<number>
  /** One reader a topic, of messages from peers that passed Hello. Returns the unsubscriber. */
  subscribe<Message>(topic: Topic, rules: TopicRules<Message>): () => void
  /** Topics that this node follows. */
  topics(): TopicView[]
  /** Tell the network that our tip moved (head() says where): sessions follow and peers hear of it soon. */
  headChanged(): void
  /**
   * A peer showed that it holds the certified block of this height, for instance by forwarding a Finalized whose commit
   * you verified: its session follows without waiting for its Status.
   */
  peerHas(peerId: string, height: number): void
  /** Acts on a fault of a peer as the table of verdicts.ts has it; `message` is one line that says what it did. */
  penalise(peerId: string, code: string, message?: string): void
  /** An operator's ban; it ends the session. @throws MolochError BAD_PEER_ID */
  ban(peerId: string, ms: number, reason: string): HeldPeer
  /**
   * Lets a peer in again that was held out, whoever did it, with a clean slate.
   * @returns false if it was not held and had no points
   * @throws MolochError BAD_PEER_ID
   */
  unban(peerId: string): boolean
  /** Peers that are neither dialled nor let in, and why. */
  held(): HeldPeer[]
  /** How many peers the address book has. */
  readonly knownPeers: number
  disconnect(peerId: string, reason: GoodbyeName, message?: string): Promise<void>
  /** That another running node uses this node's peer key; undefined: nothing shows it. */
  keyInUse(): KeyInUse | undefined
  /** A peer said goodbye (its words, cut short). */
  on(name: 'goodbye', listener: (peer: string, reason: GoodbyeName, message: string) => void): () => void
  /** An operator let a peer in again. */
  on(name: 'unbanned', listener: (peer: string) => void): () => void
}
