import { compareBytes } from '../codec/bytes.ts'
import { HASH_BYTES } from './merkle.ts'
import type { StateEntry } from './state.ts'
import { RECORD_BYTES, writeEntry, writeKeyHash } from './trie-record.ts'

/** Entries of an index as a snapshot has them, with their raw keys, and the prefixes of the subtrees that they fill. */

/**
 * Of the encoded IndexChunk. A peer sends one in some milliseconds and it is checked in some more; a wrong one costs no
 * more than this to fetch again. Part of the format: where an index is cut follows from it.
 */
export const MAX_ENTRIES_BYTES = 256 << 10

/** How long an entry is in an IndexChunk. */
export function entryBytes(keyLength: number, count: number): number {
  const body = entryBodyBytes(keyLength, count)
  return 1 + varintBytes(body) + body
}

/** The same without its tag and length. */
export function entryBodyBytes(keyLength: number, count: number): number {
  return 1 + varintBytes(keyLength) + keyLength + 1 + varintBytes(count) + 2 + HASH_BYTES
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

/** Records (trie-record.ts) of entries that are in the order of key hashes. */
export function recordsOf(entries: readonly Omit<StateEntry, 'key'>[]): Uint8Array {
  const records = new Uint8Array(entries.length * RECORD_BYTES)
  for (const [i, entry] of entries.entries()) {
    writeKeyHash(records, i * RECORD_BYTES, entry.keyHash, 0)
    writeEntry(records, i * RECORD_BYTES, entry)
  }
  return records
}

/** Whether the key hash at `offset` begins with the first `depth` bits of `prefix`. */
export function hasPrefix(keyHashes: Uint8Array, prefix: Uint8Array, depth: number, offset = 0): boolean {
  const whole = depth >>> 3
  for (let i = 0; i < whole; i++) if (keyHashes[offset + i] !== prefix[i]) return false
  const rest = depth & 7
  return (
    rest === 0 || (((keyHashes[offset + whole] as number) ^ (prefix[whole] as number)) & (0xff00 >>> rest) & 0xff) === 0
  )
}

/** The prefix of one half of a subtree. */
export function prefixBelow(prefix: Uint8Array, depth: number, side: 0 | 1): Uint8Array {
  if (side === 0) return prefix
  const below = prefix.slice()
  below[depth >>> 3] = (below[depth >>> 3] as number) | (0x80 >>> (depth & 7))
  return below
}

/** Whether key hashes ascend and none is there twice. */
export function areSorted(entries: readonly Pick<StateEntry, 'keyHash'>[]): boolean {
  return entries.every((entry, i) => {
    const before = entries[i - 1]
    return before === undefined || compareBytes(before.keyHash, entry.keyHash) < 0
  })
}
