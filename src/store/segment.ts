import { HASH_BYTES } from '../chain/merkle.ts'
import { HEIGHT_BYTES, heightBytes, view, words } from './keys.ts'

export interface EventPlace {
  readonly height: number
  /** Place in its block. */
  readonly index: number
}

/** The ids of one block, in memory until their segment is written. */
export interface BlockIds {
  readonly height: number
  /** 32·n bytes. */
  readonly ids: Uint8Array
}

/** The first ten bits of an id name its bucket. */
const BUCKET_BITS = 10
export const BUCKETS = 1 << BUCKET_BITS

/** Bytes 1 … 6 of the id; byte 0 and two bits of byte 1 are in the bucket. */
const ID_BYTES = 6
const INDEX_BYTES = 2
/** id bytes ‖ height u48 ‖ index u16 (a block of at most 2 MiB has fewer than 20 000 events) */
const ENTRY_BYTES = ID_BYTES + HEIGHT_BYTES + INDEX_BYTES

export function bucketOf(id: Uint8Array, at = 0): number {
  return ((id[at] as number) << 2) | ((id[at + 1] as number) >>> 6)
}

/** The rows of a segment by bucket; a bucket without events has none. Entries are in the order of the chain. */
export function packSegment(blocks: readonly BlockIds[]): Map<number, Uint8Array> {
  const counts = new Uint32Array(BUCKETS)
  for (const { ids } of blocks) {
    for (let at = 0; at < ids.byteLength; at += HASH_BYTES) (counts[bucketOf(ids, at)] as number)++
  }
  const rows = new Map<number, Uint8Array>()
  counts.forEach((count, bucket) => {
    if (count > 0) rows.set(bucket, new Uint8Array(count * ENTRY_BYTES))
  })
  const filled = new Uint32Array(BUCKETS)
  for (const { height, ids } of blocks) {
    const heightPart = heightBytes(height)
    for (let at = 0; at < ids.byteLength; at += HASH_BYTES) {
      const bucket = bucketOf(ids, at)
      const row = rows.get(bucket) as Uint8Array
      const to = filled[bucket] as number
      const index = at / HASH_BYTES
      // Byte by byte: the calls of a method for each field would be most of a segment's cost.
      for (let byte = 0; byte < ID_BYTES; byte++) row[to + byte] = ids[at + 1 + byte] as number
      for (let byte = 0; byte < HEIGHT_BYTES; byte++) row[to + ID_BYTES + byte] = heightPart[byte] as number
      row[to + ENTRY_BYTES - 2] = index >>> 8
      row[to + ENTRY_BYTES - 1] = index & 0xff
      filled[bucket] = to + ENTRY_BYTES
    }
  }
  return rows
}

/** The places in a row of the id's bucket whose 58 known bits are the id's. */
export function* placesIn(row: Uint8Array, id: Uint8Array): Generator<EventPlace> {
  const entries = view(row)
  for (let at = 0; at + ENTRY_BYTES <= row.byteLength; at += ENTRY_BYTES) {
    if (!startsAt(entries, at, id)) continue
    const height = entries.readUIntBE(at + ID_BYTES, HEIGHT_BYTES)
    yield { height, index: entries.readUInt16BE(at + ID_BYTES + HEIGHT_BYTES) }
  }
}

function startsAt(row: Uint8Array, at: number, id: Uint8Array): boolean {
  for (let byte = 0; byte < ID_BYTES; byte++) if (row[at + byte] !== id[1 + byte]) return false
  return true
}

/** Where the id is among those of `blocks`. A look at the first word of every id: 65 536 of them take a tenth of a millisecond. */
export function findIn(blocks: readonly BlockIds[], id: Uint8Array): EventPlace | undefined {
  const [first] = words(id)
  for (const { height, ids } of blocks) {
    const all = words(ids)
    for (let at = 0, index = 0; at < all.length; at += HASH_BYTES / 4, index++) {
      if (all[at] === first && idAt(ids, index, id)) return { height, index }
    }
  }
  return undefined
}

export function idAt(ids: Uint8Array, index: number, id: Uint8Array): boolean {
  return Buffer.compare(ids.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES), id) === 0
}
