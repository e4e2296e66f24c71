/**
 * What the driver needs of the rest of the node, one small port a concern. The parts of the lower floors fit them as
 * they are (`Ledger`, `VerifyPool`, `Mempool`); tests wire them without a network.
 */
import type { CheckedBlock, CheckResult, ProposedBlock } from '../chain/check-block.ts'
import type { CheckedEvent } from '../chain/event.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import type { Header } from '../codec/generated/chain.ts'
import type { GetVotes, RawVotes } from '../codec/generated/sync.ts'
import type { KeyPair } from '../crypto/ed25519.ts'
import type { Evidence } from './evidence.ts'

/** What gossip does with a message: forward it, drop it silently, drop it and blame who sent it (protocol §10). */
export type Verdict = 'accept' | 'ignore' | 'reject'

export type ConsensusTopic = 'block' | 'vote' | 'finalized'

export type GossipHandler = (payload: Uint8Array, from: string) => Promise<Verdict>

export interface LedgerPort {
  readonly genesis: Genesis
  /** The finalized tip; height 0 is block 0 of the genesis. */
  readonly tip: { readonly height: number; readonly hash: Uint8Array; readonly header: Header }
  /** Writes finalized blocks, fsynced before it resolves. Idempotent for blocks that it has. */
  apply(blocks: CheckedBlock[]): Promise<{ applied: number; failure?: { index: number; failure: Failure } | undefined }>
  /** The part of valid(block) that needs the chain: link to the tip, event ids unique in the window. */
  checkProposal(block: ProposedBlock): Failure | undefined
  buildBlock(input: { timestamp: number; proposer: KeyPair; events: CheckedEvent[] }): {
    blockBytes: Uint8Array
    hash: Uint8Array
    header: Header
  }
  blockAt(height: number): Promise<{ blockBytes: Uint8Array; commitBytes: Uint8Array; hash: Uint8Array } | undefined>
  /** Called for every block that becomes final, by whatever way. Returns what removes the listener. */
  on(name: 'finalized', listener: (event: { block: CheckedBlock }) => void): () => void
}

/** The worker pool: checks blocks off the main loop. */
export interface VerifierPort {
  check(finalized: Uint8Array[]): Promise<CheckResult[]>
  checkProposed(blockBytes: Uint8Array): Promise<CheckResult<ProposedBlock>>
}

export interface MempoolPort {
  stats(): { events: number; bytes: number }
  has(id: Uint8Array): boolean
  add(event: CheckedEvent, options: { source: string }): string
  select(options: {
    maxEvents: number
    maxBytes: number
    timestamp: number
    windowMs: number
    skip?: (id: Uint8Array) => boolean
  }): CheckedEvent[]
  remove(ids: Uint8Array[]): void
}

/** Gossip (protocol §10). `publish` resolves to how many peers it was sent to. */
export interface GossipPort {
  publish(topic: ConsensusTopic, payload: Uint8Array): Promise<number>
  subscribe(topic: ConsensusTopic, handler: GossipHandler): void
}

/** The peers that serve `votes` streams (protocol §9). */
export interface VotePeersPort {
  /** Peers that passed Hello, in no order. */
  peers(): string[]
  getVotes(peer: string, request: GetVotes, options: { signal: AbortSignal }): Promise<RawVotes>
  /** Told when an answer broke a rule that only its sender can have broken. */
  penalise(peer: string, reason: string): void
}

/** Where equivocations and invalid proposals go; must not throw. */
export interface EvidencePort {
  save(evidence: Evidence): void
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
