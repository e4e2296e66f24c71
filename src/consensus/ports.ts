/**
 * What the driver needs of the rest of the node, one small port a concern: the functions of the lower floors' parts
 * that it calls, so that these fit as they are and tests can wire it without a network.
 */
import type { TopicRules } from '../chain/gossip-rules.ts'
import type { Mempool } from '../chain/mempool.ts'
import type { GetVotes, RawVotes } from '../codec/generated/sync.ts'
import { hasCode } from '../error.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { VerifyPool } from '../verify/pool.ts'
import type { ClockReading } from './clocks.ts'

export type ConsensusTopic = 'block' | 'vote' | 'finalized' | 'header'

export type LedgerPort = Pick<
  Ledger,
  | 'genesis'
  | 'tip'
  | 'conflict'
  | 'apply'
  | 'compareHeader'
  | 'rootAfter'
  | 'checkProposal'
  | 'buildBlock'
  | 'hasRecentEvent'
  | 'blockAt'
  | 'saveEvidence'
  | 'on'
>

/** Checks blocks off the main loop. */
export type VerifierPort = Pick<VerifyPool, 'checkCertified' | 'checkProposed'>

/** Once more if a verify thread died, which is no fault of the block that it had. */
export async function retryCrashed<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check()
  } catch (error) {
    if (!hasCode(error, 'VERIFY_CRASHED')) throw error
    return await check()
  }
}

export type MempoolPort = Pick<Mempool, 'has' | 'hasSelectable' | 'select' | 'readd' | 'remove'>

/** Gossip (protocol §10). `publish` resolves to how many peers it was sent to. */
export interface GossipPort {
  publish(topic: ConsensusTopic, payload: Uint8Array): Promise<number>
  /** Returns what ends it. */
  subscribe<Message>(topic: ConsensusTopic, rules: TopicRules<Message>): () => void
}

/** A peer that has proven its chain key, with what it says of its clock. */
export interface ProvenPeer {
  /** Hex. */
  readonly chainKey: string
  readonly clock: ClockReading | undefined
}

export interface PeerStanding {
  /** The index of the validator whose key it has; −1: it has none. */
  readonly validator: number
  /** The highest height that it has shown a commit of. */
  readonly height: number
}

/** The peers that serve `votes` streams (protocol §9). */
export interface VotePeersPort {
  /** Peers that passed Hello, in no order. */
  peers(): string[]
  /** What a peer has proven; undefined before its first Status. */
  standing(peer: string): PeerStanding | undefined
  getVotes(peer: string, request: GetVotes, options: { signal: AbortSignal }): Promise<RawVotes>
  /** Told when an answer broke a rule that only its sender can have broken. */
  penalise(peer: string, code: string): void
}

/** Time, so that tests can hold it. */
export interface Clock {
  /** Unix milliseconds, as in header timestamps. */
  now(): number
  /** Milliseconds that never go back. */
  monotonic(): number
  /** Calls `run` once in `ms` milliseconds unless cancelled by what it returns. */
  after(ms: number, run: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  }
}
