import { concatBytes, equalBytes } from '../codec/bytes.ts'
import { IndexChunk } from '../codec/generated/snapshot.ts'
import { INDEX_CHUNK } from '../codec/rules.ts'
import { sha256 } from '../crypto/sha256.ts'
import { type CheckedBlock, checkFinalized, maxFinalizedBytes } from './check-block.ts'
import { canonicalFailure } from './checked-block.ts'
import type { Genesis } from './genesis.ts'
import { HashRange } from './hash-range.ts'
import { areSorted, hasPrefix, MAX_ENTRIES_BYTES, recordsOf } from './index-entries.ts'
import type { ChunkPlace } from './index-top.ts'
import { HASH_BYTES } from './merkle.ts'
import { type ChunkFailureCode, type SnapshotFailure, snapshotFailure } from './snapshot-failures.ts'
import type { StateEntry, StateIndex } from './state.ts'
import { subtreeHash } from './trie-bucket.ts'

/** Block hashes in a chunk: a perfect subtree of the mountain range, 128 KiB. Part of the format. */
export const HASHES_A_CHUNK = 4096

/** What a chunk must be; all of it follows from the manifest. */
export type ChunkPlan =
  | {
      readonly kind: 'hashes'
      /** Height of the first. */
      readonly start: number
      readonly count: number
      /** Of the range over these hashes alone, largest first: one, but for the tail. */
      readonly peaks: readonly Uint8Array[]
    }
  | ({ readonly kind: 'entries'; readonly index: StateIndex } & ChunkPlace)
  | { readonly kind: 'block'; readonly height: number; readonly hash: Uint8Array }

/** What a chunk that was checked holds. */
export type ChunkContent =
  | {
      readonly kind: 'hashes'
      readonly start: number
      /** Over these hashes alone. */
      readonly range: HashRange
    }
  | { readonly kind: 'entries'; readonly index: StateIndex; readonly entries: readonly StateEntry[] }
  | { readonly kind: 'block'; readonly block: CheckedBlock }

export type ChunkCheck =
  | { readonly ok: true; readonly content: ChunkContent }
  | { readonly ok: false; readonly failure: SnapshotFailure<ChunkFailureCode> }

/** No valid chunk of this chain is longer: what is longer is not looked at. */
export function maxChunkBytes(genesis: Genesis): number {
  return Math.max(HASHES_A_CHUNK * HASH_BYTES, MAX_ENTRIES_BYTES, maxFinalizedBytes(genesis))
}

/**
 * Whether `data` is chunk `number` of a snapshot, by itself: whoever sent it is to blame if it is not. Some 15 ms for
 * entries; bytes that are kept are views of `data`.
 * @param chunks of the checked manifest
 */
export function checkChunk(
  genesis: Genesis,
  chunks: readonly ChunkPlan[],
  number: number,
  data: Uint8Array
): ChunkCheck {
  const plan = chunks[number]
  if (plan === undefined)
    return fault('CHUNK_NUMBER', `there is no chunk ${number}; accepted: 0 … ${chunks.length - 1}`)
  switch (plan.kind) {
    case 'hashes':
      return checkHashes(plan, data)
    case 'entries':
      return checkEntries(plan, data)
    case 'block':
      return checkBlock(genesis, plan, data)
  }
}

type Plan<Kind> = Extract<ChunkPlan, { kind: Kind }>

function checkHashes({ start, count, peaks }: Plan<'hashes'>, data: Uint8Array): ChunkCheck {
  const length = count * HASH_BYTES
  if (data.byteLength !== length) return fault('CHUNK_SIZE', `chunk is ${data.byteLength} bytes; accepted: ${length}`)
  const range = new HashRange(data)
  if (!equalBytes(concatBytes(...range.peaks), concatBytes(...peaks))) {
    return fault('CHUNK_HASHES', `the hashes of blocks ${start} … ${start + count - 1} are not those of the manifest`)
  }
  return { ok: true, content: { kind: 'hashes', start, range } }
}

function checkEntries({ index, prefix, depth, hash }: Plan<'entries'>, data: Uint8Array): ChunkCheck {
  if (data.byteLength > MAX_ENTRIES_BYTES) {
    return fault('CHUNK_SIZE', `chunk is ${data.byteLength} bytes; accepted: at most ${MAX_ENTRIES_BYTES}`)
  }
  const malformed = canonicalFailure(INDEX_CHUNK, data)
  if (malformed !== undefined) return fault('CHUNK_NON_CANONICAL', malformed.message)
  const wire = IndexChunk.decode(data).entries
  if (wire.length < 2) return fault('CHUNK_SIZE', `chunk has ${wire.length} entries; accepted: 2 or more`)
  const entries = wire.map(({ key, count, head }) => ({ keyHash: sha256(key), key, count, head }))
  const stray = entries.findIndex(({ keyHash }) => !hasPrefix(keyHash, prefix, depth))
  if (stray >= 0) return fault('CHUNK_PREFIX', `entry ${stray} is not under the chunk's prefix`)
  if (!areSorted(entries)) return fault('CHUNK_ORDER', 'entries are not in the order of their key hashes')
  if (!equalBytes(subtreeHash(recordsOf(entries), depth), hash)) {
    return fault('CHUNK_ENTRIES', 'entries do not fold to the hash in the manifest')
  }
  return { ok: true, content: { kind: 'entries', index, entries } }
}

function checkBlock(genesis: Genesis, { height, hash }: Plan<'block'>, data: Uint8Array): ChunkCheck {
  if (data.byteLength > maxFinalizedBytes(genesis)) {
    return fault('CHUNK_SIZE', `chunk is ${data.byteLength} bytes; accepted: at most ${maxFinalizedBytes(genesis)}`)
  }
  const checked = checkFinalized(genesis, data)
  const failure = checked.ok ? checked.block.deferred : checked.failure
  if (failure !== undefined) return fault('CHUNK_BLOCK', `${failure.code}: ${failure.message}`)
  if (checked.ok && equalBytes(checked.block.hash, hash)) {
    return { ok: true, content: { kind: 'block', block: checked.block } }
  }
  return fault('CHUNK_BLOCK', `BAD_HASH: the block is not block ${height} of the manifest`)
}

function fault(code: ChunkFailureCode, message: string): ChunkCheck {
  return { ok: false, failure: snapshotFailure(code, message) }
}
