import type { Checkpoint } from '../../chain/checkpoint.ts'
import type { Genesis } from '../../chain/genesis.ts'
import type { ChunkPlan } from '../../chain/snapshot-chunks.ts'
import type { ChunkFailureCode, SnapshotFailure } from '../../chain/snapshot-failures.ts'
import type { CheckedManifest } from '../../chain/snapshot-manifest.ts'
import type { Log } from '../../log.ts'
import type { Network } from '../../network/types.ts'
import type { PeerFailure } from '../events.ts'
import type { Stall, SyncPeer } from '../types.ts'

export interface WarpPorts {
  readonly genesis: Genesis
  readonly network: Pick<Network, 'getManifest' | 'getChunk' | 'getHeaders'>
  /** What is wrong with a chunk; undefined: nothing. Throws if the checker failed: nobody's chunk is bad. */
  readonly checkChunk: (plan: ChunkPlan, data: Uint8Array) => Promise<SnapshotFailure<ChunkFailureCode> | undefined>
  readonly log: Log
}

export interface WarpOptions {
  /** What everything is proven from: there is no warp without one. */
  readonly checkpoint: Checkpoint
  /** Of the database, `HOME/data/chain`. Nobody has it open while `run` runs. */
  readonly path: string
  /** Where chunks are until all are there, `HOME/data/warp`. */
  readonly folder: string
  /** Default 4. */
  readonly requestsPerPeer?: number
  /** Requests that are out at once: each holds a chunk or two in memory. Default 16. */
  readonly maxRequests?: number
  /** With peers that all lack a usable snapshot for this long there is none. Default 6 s; 30 s while some are busy. */
  readonly giveUpMs?: number
  /** Between the first manifest and the choice of one: others may have a newer one. Default 0.5 s. */
  readonly gatherMs?: number
  /** Without a stored chunk for this long the download counts as stalled. Default 10 s. */
  readonly stallAfterMs?: number
  /**
   * When no chunk of a snapshot comes for this long, whoever offers it, it is passed over for some minutes: else one peer
   * that offers an old one and brings nothing would hold up a warp for good. Default 90 s, longer than a peer may have us wait.
   */
  readonly barrenAfterMs?: number
  /** Milliseconds, never going back, and near Unix time. */
  readonly now?: () => number
  /** Uniform in [0, 1). */
  readonly random?: () => number
}

export interface WarpPeer extends SyncPeer {
  /** It syncs or warps itself, by its own words: what it lacks says nothing of what there is. */
  readonly syncing: boolean
}

/** What the search for a manifest ends in. */
export type SearchOutcome =
  | { readonly kind: 'found'; readonly manifest: CheckedManifest; readonly sources: readonly string[] }
  | NoSnapshot
  | WrongCheckpoint

/** Nobody has a usable snapshot: sync all. `message` is one line that says what was wanted and what there is. */
export interface NoSnapshot {
  readonly kind: 'none'
  readonly code:
    | 'NO_SNAPSHOT'
    /** No peer's chain is as high as the checkpoint. */
    | 'CHECKPOINT_UNAVAILABLE'
    /** Snapshots are offered, and nobody shows that they go through the checkpoint. */
    | 'CHECKPOINT_UNPROVEN'
    /** The chain that is here is as high as the snapshot. */
    | 'CHAIN_AHEAD'
  readonly message: string
}

/** The validators certified another block at the checkpoint's height. `message` is one line. */
export interface WrongCheckpoint {
  readonly kind: 'wrong-checkpoint'
  readonly message: string
  /** HEIGHT:HASH */
  readonly expected: string
  readonly certified: string
  readonly peer: string
}

export type WarpOutcome =
  | {
      /** The database at `path` is that of the snapshot's height. */
      readonly kind: 'warped'
      readonly height: number
      /** Of this run. */
      readonly seconds: number
      /** Peers whose chunks were stored in this run. */
      readonly peersUsed: number
    }
  | NoSnapshot
  | WrongCheckpoint

/** All that the API and the log see of a warp. */
export type WarpState =
  | { readonly phase: 'searching'; readonly peers: number; readonly stalled: Stall | undefined }
  | DownloadState
  | {
      readonly phase: 'importing'
      readonly height: number
      readonly chunks: number
      readonly chunksDone: number
    }
  | { readonly phase: 'ended' }

export interface DownloadState {
  readonly phase: 'downloading'
  /** Of the snapshot. */
  readonly height: number
  readonly chunks: number
  /** Checked and on disk. */
  readonly chunksDone: number
  readonly bytesPerSecond: number
  /** That serve this snapshot. */
  readonly peers: number
  readonly etaSeconds: number | undefined
  readonly stalled: Stall | undefined
}

export type Penalise = (peer: string, failure: PeerFailure) => void
