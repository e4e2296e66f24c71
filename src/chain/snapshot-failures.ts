/** What can be wrong with a snapshot that a peer sends: one code for each fault, in the order of the checks. */

export type ManifestFailureCode =
  /** Above MAX_MANIFEST_BYTES. */
  | 'MANIFEST_TOO_LARGE'
  /** Not the one canonical encoding. */
  | 'MANIFEST_NON_CANONICAL'
  /** The height is not a multiple of the snapshot interval. */
  | 'MANIFEST_HEIGHT'
  /** The header at H, its seal or its commit is wrong; the message begins with that fault's code. */
  | 'MANIFEST_HEADER'
  /** The snapshot is below the checkpoint. */
  | 'CHECKPOINT_ABOVE'
  /** H is the checkpoint's height, and its block another. */
  | 'CHECKPOINT_HASH'
  /** The path does not prove the checkpoint's block under H; or there is one where H is the checkpoint. */
  | 'CHECKPOINT_PATH'
  /** Not as many subtree roots and tail peaks as H block hashes have. */
  | 'MANIFEST_MMR_COUNT'
  /** Subtree roots and tail peaks do not bag to the header's `mmr_root`. */
  | 'MANIFEST_MMR_ROOT'
  /** The root after H is not the one that follows. */
  | 'MANIFEST_ROOT_AFTER'
  /** An index top is not a trie in pre-order. */
  | 'MANIFEST_TOP'
  /** An index top is cut where it must not be. */
  | 'MANIFEST_CUT'
  /** Index tops and event total do not fold to the header's `state_root`. */
  | 'MANIFEST_STATE_ROOT'

export type ChunkFailureCode =
  /** The snapshot has no chunk of that number. */
  | 'CHUNK_NUMBER'
  /** Not as long as the chunk must be, or longer than it may be. */
  | 'CHUNK_SIZE'
  /** The block hashes are not those of the subtree root or tail peaks. */
  | 'CHUNK_HASHES'
  /** The entries are not the one canonical encoding. */
  | 'CHUNK_NON_CANONICAL'
  /** An entry's key is not under the chunk's prefix. */
  | 'CHUNK_PREFIX'
  /** The entries are not in the order of key hashes, or one is there twice. */
  | 'CHUNK_ORDER'
  /** The entries do not fold to the chunk's hash. */
  | 'CHUNK_ENTRIES'
  /** The block is not block H, or its seal or commit is wrong; the message begins with that fault's code. */
  | 'CHUNK_BLOCK'

export interface SnapshotFailure<Code = ManifestFailureCode | ChunkFailureCode> {
  readonly code: Code
  /** One line. */
  readonly message: string
}

export function snapshotFailure<Code extends ManifestFailureCode | ChunkFailureCode>(
  code: Code,
  message: string
): SnapshotFailure<Code> {
  return { code, message }
}
