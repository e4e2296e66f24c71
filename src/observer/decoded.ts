/** What the messages of each topic say, once they are found good. Hashes and keys are hex; validators are indexes. */
import type { CheckedEvent } from '../chain/event.ts'

interface BlockFacts {
  readonly height: number
  readonly round: number
  readonly hash: string
  readonly parentHash: string
  /** Unix ms. */
  readonly timestamp: number
  readonly proposer: number
  readonly eventCount: number
}

export interface DecodedProposal extends BlockFacts {
  readonly type: 'new-block'
  readonly validRound: number | undefined
}

export interface DecodedVote {
  readonly type: 'prevote' | 'precommit'
  readonly height: number
  readonly round: number
  /** Undefined: a vote for nil. */
  readonly hash: string | undefined
  readonly validator: number
}

/** Of a header only the message's type differs: it has all but the events. `round` is that of the commit. */
export interface DecodedFinalized extends BlockFacts {
  readonly type: 'finalized' | 'header'
  readonly signers: readonly number[]
}

export interface DecodedEvents {
  readonly type: 'events'
  /** Of the message. */
  readonly eventCount: number
  /** The validator whose API took them, by its word; undefined: another node's did. */
  readonly voucher: number | undefined
  /** Those of them that had not been seen and are of this time. */
  readonly fresh: readonly CheckedEvent[]
}

export type Decoded = DecodedProposal | DecodedVote | DecodedFinalized | DecodedEvents

export type DecodedType = Decoded['type']
