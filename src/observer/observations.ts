/** What an observer tells: messages, and what it knows to have missed. */
import type { Topic } from '../network/types.ts'
import type { Decoded } from './decoded.ts'
import type { TopicGap } from './finals.ts'

export interface Received {
  /** Unix ms, when it came. */
  readonly at: number
  readonly topic: Topic
  /** Peer id of who sent it on to us. */
  readonly from: string
  /** The validator that this peer has proven to be, as index. */
  readonly fromValidator: number | undefined
  readonly bytes: number
}

export interface SeenMessage extends Received {
  readonly type: 'message'
  readonly message: Decoded
  /** Of the block that it is about, if that is known: Unix ms. */
  readonly blockTime: number | undefined
  /** A second block, vote or commit where only one may be. */
  readonly conflict: boolean
  /** Its height was reported as missed before. */
  readonly late: boolean
}

export interface RejectedMessage extends Received {
  readonly type: 'rejected'
  /** What is wrong with it. */
  readonly code: string
}

/** Final heights of which nothing came on the topic. */
export interface Gap extends TopicGap {
  readonly type: 'gap'
  readonly at: number
  /** How long there was no peer meanwhile; undefined: there was one. */
  readonly disconnectedMs: number | undefined
}

/** No peer is left: what is sent from now on is not seen. */
export interface Left {
  readonly type: 'left'
  readonly at: number
  readonly finalHeight: number
}

export interface Joined {
  readonly type: 'joined'
  readonly at: number
  readonly peer: string
  /** The highest height that is known to be final. */
  readonly finalHeight: number
  /** How long there was no peer; undefined: this is the first. */
  readonly disconnectedMs: number | undefined
}

export type Observation = SeenMessage | RejectedMessage | Gap | Left | Joined

/** Messages by what became of them. */
export interface ObserverCounts {
  readonly shown: number
  /** The same thing again in other bytes, a third of one slot, and what was final before the watch began. */
  readonly repeated: number
  readonly rejected: number
}
