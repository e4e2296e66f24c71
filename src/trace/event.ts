/**
 * What a gossip trace records, in the terms of go-libp2p-pubsub's TraceEvent (package pubsub.pb): one event a line of its
 * NDJSON, one varint-delimited message of its protobuf form. Types 100 and above are this node's own: readers of that
 * schema pass over them.
 */

export const TRACE_TYPES = {
  PUBLISH_MESSAGE: 0,
  REJECT_MESSAGE: 1,
  DUPLICATE_MESSAGE: 2,
  DELIVER_MESSAGE: 3,
  ON_NEW_OUTBOUND_STREAM: 4,
  ON_CLOSED_OUTBOUND_STREAM: 5,
  RECV_RPC: 6,
  SEND_RPC: 7,
  DROP_RPC: 8,
  JOIN: 9,
  LEAVE: 10,
  GRAFT: 11,
  PRUNE: 12,
  /** A sample of all peers' scores. */
  SCORES: 100,
  /** Records that the writer had to let go, because the disk did not keep up. */
  LOST: 101
} as const

/** Reason of a REJECT_MESSAGE, in the words of go-libp2p-pubsub: good, and of no use to the node that it came to. */
export const IGNORED = 'validation ignored'

export type TraceType = keyof typeof TRACE_TYPES

/** Ids of messages are the raw bytes that gossipsub uses, ids of peers the raw multihash. */
export interface MessageMeta {
  readonly messageId: Uint8Array
  readonly topic: string
}

export interface SubscriptionMeta {
  readonly subscribe: boolean
  readonly topic: string
}

export interface ControlMeta {
  readonly ihave: readonly { readonly topic: string; readonly messageIds: readonly Uint8Array[] }[]
  readonly iwant: readonly { readonly messageIds: readonly Uint8Array[] }[]
  readonly graft: readonly { readonly topic: string }[]
  readonly prune: readonly { readonly topic: string; readonly peers: readonly Uint8Array[] }[]
  readonly idontwant: readonly { readonly messageIds: readonly Uint8Array[] }[]
}

export interface RpcMeta {
  readonly messages: readonly MessageMeta[]
  readonly subscriptions: readonly SubscriptionMeta[]
  readonly control: ControlMeta | undefined
}

export interface ScoreSample {
  readonly peer: Uint8Array
  readonly score: number
}

export type TraceBody =
  | { readonly type: 'PUBLISH_MESSAGE'; readonly messageId: Uint8Array; readonly topic: string }
  | {
      readonly type: 'REJECT_MESSAGE'
      readonly messageId: Uint8Array
      readonly topic: string
      readonly receivedFrom: Uint8Array
      /** gossipsub's or the chain's word for it. */
      readonly reason: string
    }
  | {
      readonly type: 'DUPLICATE_MESSAGE' | 'DELIVER_MESSAGE'
      readonly messageId: Uint8Array
      readonly topic: string
      readonly receivedFrom: Uint8Array
    }
  | { readonly type: 'ON_NEW_OUTBOUND_STREAM'; readonly peer: Uint8Array; readonly protocol: string }
  | { readonly type: 'ON_CLOSED_OUTBOUND_STREAM'; readonly peer: Uint8Array }
  | { readonly type: 'RECV_RPC' | 'SEND_RPC' | 'DROP_RPC'; readonly peer: Uint8Array; readonly meta: RpcMeta }
  | { readonly type: 'JOIN' | 'LEAVE'; readonly topic: string }
  | { readonly type: 'GRAFT' | 'PRUNE'; readonly peer: Uint8Array; readonly topic: string }
  | { readonly type: 'SCORES'; readonly scores: readonly ScoreSample[] }
  | { readonly type: 'LOST'; readonly count: number }

/** One record of the node `peerId`. */
export type TraceEvent = {
  /** The node that wrote it: its raw multihash. */
  readonly peerId: Uint8Array
  /** Unix time in nanoseconds. */
  readonly timestamp: bigint
} & TraceBody
