import type { Quota } from './limits.ts'

/** Protocols that have a quota a peer. */
export type ProtocolName = 'hello' | 'status' | 'blocks' | 'votes' | 'headers' | 'proof' | 'snapshot' | 'goodbye'

/**
 * Every number of the network that may be set. Defaults suit a node on the open Internet; `devnetSettings` many nodes
 * on one machine. Times in ms.
 */
export interface NetworkSettings {
  /** How often Status goes to each peer; liveness is judged by it. */
  readonly statusIntervalMs: number
  /** Status is pushed after our tip moved, at most this often to one peer; less often when there are many. */
  readonly statusPushMs: number
  /** A peer without any Status for this many intervals is disconnected: a dead link that TCP has not noticed. */
  readonly statusMisses: number
  /** Hello must be done both ways by then: against peers that connect and say nothing. */
  readonly handshakeMs: number
  /** So long a connection has to answer when another process shows its peer id: a restarted node waits for it. */
  readonly instanceMs: number
  /** `ready` waits this long for the peer's gossip subscriptions. */
  readonly subscriptionMs: number
  /** A peer refused at Hello is not dialled again for this long. */
  readonly refusedMs: number
  /** With fewer open sessions, peers met before are dialled: after an outage the bootstrap peers may be gone for good. */
  readonly wantedPeers: number
  /** How often that is looked at. */
  readonly refillMs: number

  /** Opening a stream: negotiation on an open connection. */
  readonly openMs: number
  /** First byte of an answer: against peers that accept a request and never answer. */
  readonly firstByteMs: number
  /** One frame: against frames that trickle. */
  readonly frameMs: number
  /** All waiting for one answer: against many slow frames. */
  readonly answerMs: number
  /** A whole request: against peers that open streams and send nothing. */
  readonly requestMs: number
  /** One frame must be taken by then: against readers that never read. */
  readonly stallMs: number
  /** After our side is closed the peer has this long to close its own: it would hold a stream slot. */
  readonly graceMs: number

  /** Of one GetBlocks answer: bounds what a single request costs. */
  readonly blocksAnswerBytes: number
  /** Of one GetHeaders answer: with 128 validators a header has 9 KiB, and 1024 of them would be as much as many blocks. */
  readonly headersAnswerBytes: number
  /** Frames of blocks and headers are cut near this size (one block may be larger): small enough to overlap checks with downloads. */
  readonly blocksFrameBytes: number
  /** Answers of blocks, headers and proofs under way at once, all peers together. Against crowds: each holds buffers and disk reads. */
  readonly serveAnswers: number
  /** How long one such answer may take; against readers that dawdle. */
  readonly serveMs: number
  /** Bytes of such answers a second, all peers together: what is left of the uplink is for consensus and gossip. */
  readonly serveBytesPerSecond: number
  /** What one peer may ask. Against request and stream floods. */
  readonly quotas: Readonly<Record<ProtocolName, Quota>>

  /** Sessions at once; who leaves when there are more is in places.ts. Against connection floods. */
  readonly maxConnections: number
  /** Connections that are not through Noise and Yamux. Against connection floods. */
  readonly maxPendingInbound: number
  /** New inbound connections a second from one host. Against connection floods. */
  readonly inboundPerSecond: number
  /** Sessions from one address, but for validators and peers that we chose: against one host that fills all places. */
  readonly maxPerIp: number
  /** Peers that came to us and have not passed Hello. Against peers that connect and say nothing. */
  readonly maxHandshaking: number

  /** Unsent bytes of one connection: against peers that make us answer and do not read. Holds all windows there can be. */
  readonly maxUnsentBytes: number

  readonly dialMs: number
  /** Reconnecting: first wait, growing twofold up to the last, each ± half at random. */
  readonly redialFirstMs: number
  readonly redialLastMs: number
  /** A peer that cannot be reached is warned of at most this often. */
  readonly warnEveryMs: number

  readonly gossipHeartbeatMs: number
  /** Unsent gossip of one peer; above it the stream is reset. Holds several blocks. */
  readonly gossipBufferBytes: number
  /** Between two samples of all peers' scores in a gossip trace. */
  readonly traceScoresMs: number
  /** How long what happens may wait until it is written into a gossip trace, many things at once. */
  readonly traceBatchMs: number
}

export const DEFAULT_SETTINGS: NetworkSettings = {
  statusIntervalMs: 30_000,
  statusPushMs: 1000,
  statusMisses: 3,
  handshakeMs: 10_000,
  instanceMs: 2000,
  subscriptionMs: 2000,
  refusedMs: 300_000,
  wantedPeers: 8,
  refillMs: 10_000,

  openMs: 5000,
  firstByteMs: 10_000,
  frameMs: 10_000,
  answerMs: 60_000,
  requestMs: 5000,
  stallMs: 30_000,
  graceMs: 5000,

  blocksAnswerBytes: 16 << 20,
  headersAnswerBytes: 4 << 20,
  blocksFrameBytes: 512 << 10,
  serveAnswers: 16,
  serveMs: 60_000,
  serveBytesPerSecond: 128 << 20,
  quotas: {
    // Each connection costs one; reconnects of an honest peer are seconds apart.
    hello: { burst: 12, perSecond: 1, concurrent: 4 },
    // Pushes come at most once a second, from two sides.
    status: { burst: 12, perSecond: 4, concurrent: 4 },
    // A full-speed sync from one server asks for some 60 ranges of 64 empty blocks a second.
    blocks: {
      burst: 128,
      perSecond: 96,
      concurrent: 8,
      blocks: { burst: 32_768, perSecond: 8192 },
      bytes: { burst: 128 << 20, perSecond: 64 << 20 }
    },
    // On every round, vote from ahead, and timeout without progress.
    votes: { burst: 32, perSecond: 16, concurrent: 4, bytes: { burst: 32 << 20, perSecond: 4 << 20 } },
    // As fast as two cores check signatures of four validators, twice over. Few bytes, but a header without a row
    // of its own is read with its block: against requests that cost the disk more than the peer.
    headers: {
      burst: 128,
      perSecond: 96,
      concurrent: 8,
      blocks: { burst: 65_536, perSecond: 16_384 },
      bytes: { burst: 64 << 20, perSecond: 32 << 20 }
    },
    // A reader of proofs asks for one at a time. A block of 10 000 events costs 10 ms of hashing for one of them: against
    // requests that cost the main loop more than the peer.
    proof: { burst: 64, perSecond: 16, concurrent: 4, bytes: { burst: 4 << 20, perSecond: 1 << 20 } },
    // A warp at full speed asks for some 100 chunks a second of one server. Few of them are empty: against requests that
    // cost the disk and the uplink more than the peer.
    snapshot: { burst: 128, perSecond: 96, concurrent: 8, bytes: { burst: 128 << 20, perSecond: 64 << 20 } },
    goodbye: { burst: 4, perSecond: 0.1, concurrent: 1 }
  },

  maxConnections: 128,
  maxPendingInbound: 64,
  inboundPerSecond: 10,
  maxPerIp: 16,
  maxHandshaking: 32,
  maxUnsentBytes: 32 << 20,

  dialMs: 5000,
  redialFirstMs: 500,
  redialLastMs: 10_000,
  warnEveryMs: 300_000,

  gossipHeartbeatMs: 1000,
  gossipBufferBytes: 16 << 20,
  traceScoresMs: 5000,
  traceBatchMs: 500
}

/** For many nodes on one machine: one address is not one party. */
export const DEVNET_SETTINGS: Partial<NetworkSettings> = {
  maxPerIp: 1024,
  inboundPerSecond: 1024,
  maxPendingInbound: 512,
  maxHandshaking: 512
}
