import { sha256Into } from '../crypto/sha256.ts'
import { HASH_BYTES } from './merkle.ts'
import { bitAt, compareKeyHash, hashRecord, RECORD_BYTES, writeKeyHash } from './trie-record.ts'

/**
 * Runs of trie records (trie-record.ts) in the order of key hashes, one after another without gaps: the keys of a
 * subtree. A bucket is a maximal subtree of at most `BUCKET_KEYS` keys, and is read and written as one row.
 */

/**
 * A touched key costs a read, a hash of each key of its bucket and a write of the bucket; and each bucket, some 0.7 of
 * this many keys, costs a node in memory: 80 bytes. At 10⁶ keys of one index that is 28 MB.
 */
export const BUCKET_KEYS = 4

/**
 * Where the record of a key is; if there is none, −1 − the place where it belongs. Buckets are short and this is done for
 * every key of every event: one look after another, and no object is made.
 */
export function findRecord(records: Uint8Array, keyHashes: Uint8Array, offset: number): number {
  for (let at = 0; at < records.byteLength; at += RECORD_BYTES) {
    const order = compareKeyHash(records, at, keyHashes, offset)
    if (order === 0) return at
    if (order > 0) return -1 - at
  }
  return -1 - records.byteLength
}

/** A copy with one more record at `at`, of count 0. */
export function insertRecord(records: Uint8Array, at: number, keyHashes: Uint8Array, offset: number): Uint8Array {
  const longer = new Uint8Array(records.byteLength + RECORD_BYTES)
  longer.set(records.subarray(0, at))
  longer.set(records.subarray(at), at + RECORD_BYTES)
  writeKeyHash(longer, at, keyHashes, offset)
  return longer
}

/** Where the records whose bit `depth` is 1 begin: all share the bits before it. */
export function splitAt(records: Uint8Array, start: number, end: number, depth: number): number {
  let low = start / RECORD_BYTES
  let high = end / RECORD_BYTES
  while (low < high) {
    const middle = (low + high) >>> 1
    if (bitAt(records, middle * RECORD_BYTES, depth) === 1) high = middle
    else low = middle + 1
  }
  return low * RECORD_BYTES
}

/** 0x01 ‖ left ‖ right of each level of a subtree: made once, for nothing yields while they are filled and hashed. */
const preimages: Uint8Array[] = []

/**
 * The trie's hash (protocol §6) of the subtree of depth `depth` whose keys are the records from `start` to `end`; they
 * share their first `depth` bits. One hash a key and one a node.
 */
export function subtreeHash(records: Uint8Array, depth: number, start = 0, end = records.byteLength): Uint8Array {
  const hash = new Uint8Array(HASH_BYTES)
  writeSubtreeHash(hash, 0, records, depth, start, end)
  return hash
}

/** The same, written to out[at, at + 32). */
export function writeSubtreeHash(
  out: Uint8Array,
  at: number,
  records: Uint8Array,
  depth: number,
  start = 0,
  end = records.byteLength,
  level = 0
): void {
  if (end === start) out.fill(0, at, at + HASH_BYTES)
  else if (end - start === RECORD_BYTES) hashRecord(records, start, out, at)
  else {
    preimages[level] ??= new Uint8Array(1 + 2 * HASH_BYTES).fill(0x01, 0, 1)
    const preimage = preimages[level] as Uint8Array
    const middle = splitAt(records, start, end, depth)
    writeSubtreeHash(preimage, 1, records, depth + 1, start, middle, level + 1)
    writeSubtreeHash(preimage, 1 + HASH_BYTES, records, depth + 1, middle, end, level + 1)
    sha256Into(out, preimage, at)
  }
}
