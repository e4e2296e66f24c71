import type { CheckedManifest } from '../chain/snapshot-manifest.ts'
import type { RequestOptions } from './request-options.ts'

/** What a node that builds snapshots answers with (protocol §11); ledger/snapshots.ts has this form. */
export interface SnapshotPorts {
  /** The snapshot of a height; of 0: the newest. */
  held(height: number): { readonly manifest: Pick<CheckedManifest, 'height' | 'id' | 'chunks'> } | undefined
  /** The encoded Manifest with the path that proves the checkpoint; undefined: not held, or the checkpoint is above it. */
  readManifest(height: number, checkpointHeight: number): Promise<Uint8Array | undefined>
  /** Undefined: not held. @throws MolochError NOT_READY: it is, and the disk does not give it now */
  readChunk(height: number, chunk: number): Promise<Uint8Array | undefined>
}

export interface ManifestWanted {
  /** 0: the newest that the peer has. */
  readonly height: number
  /** It is to prove the block of this height. */
  readonly checkpointHeight: number
}

export interface ChunkWanted {
  readonly height: number
  readonly manifestId: Uint8Array
  readonly chunk: number
  /** How many the snapshot has. */
  readonly chunks: number
}

/** What a node that warps asks of peers. */
export interface SnapshotRequests {
  /** An encoded Manifest, bounded in bytes and time and not looked at. @throws MolochError with a NetworkErrorCode */
  getManifest(peerId: string, wanted: ManifestWanted, options?: RequestOptions): Promise<Uint8Array>
  /**
   * The data of one chunk, bounded in bytes and time and not checked.
   * @throws MolochError with a NetworkErrorCode; UNAVAILABLE if the peer's snapshot is another, NOT_READY if it can't read it now
   */
  getChunk(peerId: string, wanted: ChunkWanted, options?: RequestOptions): Promise<Uint8Array>
}
