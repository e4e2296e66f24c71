import type { ChunkPlan } from '../chain/snapshot-chunks.ts'
import type { ChunkFailureCode, SnapshotFailure } from '../chain/snapshot-failures.ts'
import type { PackedEvents } from './event-packing.ts'
import type { PackedHeaders } from './header-packing.ts'
import type { PackedChecks } from './packing.ts'

/** What a worker is started with. */
export interface WorkerSetup {
  readonly genesisJson: string
  /** Of VerifiedEvents. */
  readonly verified: SharedArrayBuffer
}

/**
 * What is done first, and before what is in work: a block that has its certificate, then what a vote waits for, the newest
 * first, then what this node has asked for (`later`) and events that a validator vouches for, as they come, and last the
 * events that nobody vouches for: anybody may send any number of them.
 */
export type Urgency = 'certified' | 'proposal' | 'vouched' | 'later' | 'unvouched'

/** Main thread → worker: a check, or the end of one that nobody wants any more. */
export type WorkerRequest = CheckRequest | { readonly cancel: number }

export interface CheckRequest {
  readonly id: number
  readonly kind: 'finalized' | 'history' | 'proposal' | 'header' | 'chunk' | 'events'
  readonly urgency: Urgency
  /** All frames, one after the other. Transferred. */
  readonly frames: ArrayBuffer
  /** Where each frame ends. */
  readonly ends: readonly number[]
  readonly verifyEvents: boolean
  /** What a chunk must be. */
  readonly plan?: ChunkPlan | undefined
}

/** A chunk that was checked is not needed back: whoever asked has it. */
export interface PackedChunk {
  readonly frames: ArrayBuffer
  readonly hashes: ArrayBuffer
  readonly failure: SnapshotFailure<ChunkFailureCode> | undefined
}

export type Packed = PackedChecks | PackedHeaders | PackedChunk | PackedEvents

/** Worker → main thread. `error` is a bug in a checker, never a fault of a block. */
export type CheckAnswer =
  | { readonly id: number; readonly packed: Packed }
  | { readonly id: number; readonly error: string }
  | { readonly id: number; readonly cancelled: true }
