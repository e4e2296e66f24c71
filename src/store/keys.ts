/**
 * Keys of the one database: a byte that names the table, then fixed-width big-endian fields, so that a table is one
 * key range and its rows lie in the order of their heights.
 */
export const TABLE = {
  /** name → format version, genesis hash, what it holds, tip, … */
  META: 0x00,
  /** height → FinalizedBlock, the bytes it came in */
  BLOCK: 0x01,
  /** block hash → height */
  HASH: 0x02,
  /** leaf (a height) → the block's hash, and the MMR nodes above its leaf that were made when it was appended */
  MMR: 0x03,
  /** height → timestamp and the ids of the block's events */
  EVENT_IDS: 0x04,
  /** height → prefixes of the index key hashes of the block's events */
  EVENT_KEYS: 0x05,
  /** bucket of ids, last height of the segment → places of those events */
  SEGMENT: 0x06,
  /** index, name of a bucket → the hash of its subtree, and its records: key hash, count, head of each key */
  STATE: 0x07,
  /** order of arrival → SignedEvent that waits */
  MEMPOOL: 0x08,
  /** order of expiry → SignedEvent whose window passed before it was finalized */
  EXPIRED: 0x09,
  /** kind, height, … → what proves a fault of validators */
  EVIDENCE: 0x0a,
  /** index, key hash → key */
  STATE_KEY: 0x0c,
  /** height → TrustedHeader: in a light node's database of all headers, else of blocks that are much larger */
  HEADER: 0x0d,
  /** order of passing → SignedEvent whose window passed, and that may be in a block which is not held */
  PASSED: 0x0e
} as const

export type Table = (typeof TABLE)[keyof typeof TABLE]

/** Heights and sequence numbers take 6 bytes: 2⁴⁸ blocks of a second each are nine million years. */
export const HEIGHT_BYTES = 6
const MAX_HEIGHT = 2 ** 48 - 1

/** table ‖ height u48 */
export function heightKey(table: Table, height: number): Uint8Array {
  const key = Buffer.allocUnsafe(1 + HEIGHT_BYTES)
  key[0] = table
  key.writeUIntBE(height, 1, HEIGHT_BYTES)
  return key
}

/** table ‖ the given bytes */
export function bytesKey(table: Table, ...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Uint8Array.of(table), ...parts])
}

/** The height at the end of a key. */
export function heightOfKey(key: Uint8Array): number {
  return readHeight(key, key.byteLength - HEIGHT_BYTES)
}

export function readHeight(bytes: Uint8Array, offset = 0): number {
  return view(bytes).readUIntBE(offset, HEIGHT_BYTES)
}

/** @throws RangeError outside 0 … 2⁴⁸−1 */
export function heightBytes(height: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEIGHT_BYTES)
  bytes.writeUIntBE(height, 0, HEIGHT_BYTES)
  return bytes
}

/** Rows of a table, or of the part of it that `prefix` begins: at or after the first, before the second. */
export function rangeOf(table: Table, ...prefix: readonly Uint8Array[]): { gte: Uint8Array; lt: Uint8Array } {
  const gte = bytesKey(table, ...prefix)
  return { gte, lt: after(gte) }
}

/** Rows of heights `from` … `to`, both included. */
export function heightRange(table: Table, from: number, to = MAX_HEIGHT): { gte: Uint8Array; lte: Uint8Array } {
  return { gte: heightKey(table, from), lte: heightKey(table, to) }
}

/** The first key above all that begin with `prefix`; tables are never 0xff, so there is one. */
function after(prefix: Uint8Array): Uint8Array {
  const end = Buffer.from(prefix)
  let last = end.byteLength - 1
  while (end[last] === 0xff) last--
  end[last] = (end[last] as number) + 1
  return end.subarray(0, last + 1)
}

export function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The bytes as 32-bit words in the machine's order, for comparing many at once; a copy only if they are not aligned. */
export function words(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >>> 2)
}
