import type { PackedHeaders } from './header-packing.ts'
import type { PackedChecks } from './packing.ts'

/** What a worker is started with. */
export interface WorkerSetup {
  readonly genesisJson: string
}

/** Main thread → worker. */
export interface CheckRequest {
  readonly id: number
  readonly kind: 'finalized' | 'proposal' | 'header'
  /** All frames, one after the other. Transferred. */
  readonly frames: ArrayBuffer
  /** Where each frame ends. */
  readonly ends: readonly number[]
  readonly verifyEvents: boolean
}

/** Worker → main thread. `error` is a bug in a checker, never a fault of a block. */
export type CheckAnswer =
  | { readonly id: number; readonly packed: PackedChecks | PackedHeaders }
  | { readonly id: number; readonly error: string }
