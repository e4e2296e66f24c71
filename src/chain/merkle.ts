import { sha256, sha256Into } from '../crypto/sha256.ts'

/**
 * The Merkle tree of RFC 9162 §2.1 (the same tree as RFC 6962's): leaf SHA-256(0x00 ‖ data), node
 * SHA-256(0x01 ‖ left ‖ right), split at the largest power of two below the size; the empty root is SHA-256 of nothing.
 * `events_root` is this tree over a block's events, `mmr_root` over block hashes (kept as a range, see mmr.ts).
 */

export const HASH_BYTES = 32

/** The root of a tree of no leaves. */
export const EMPTY_ROOT: Uint8Array<ArrayBuffer> = sha256(new Uint8Array(0))

/** Leaves `start` … `end − 1`. */
export interface LeafRange {
  readonly start: number
  readonly end: number
}

/** A node's preimage. Reused: nothing here yields between writing it and hashing it. */
const preimage = new Uint8Array(1 + 2 * HASH_BYTES)
preimage[0] = 0x01

/** SHA-256(0x00 ‖ data). */
export function leafHash(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const tagged = new Uint8Array(1 + data.byteLength)
  tagged.set(data, 1)
  return sha256(tagged)
}

/** SHA-256(0x01 ‖ left ‖ right); both are 32 bytes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  preimage.set(left, 1)
  preimage.set(right, 1 + HASH_BYTES)
  return sha256(preimage)
}

/** Where a tree's levels are hashed, one over the other. Reused, and grown to the largest block seen: 32 bytes an event. */
let level = new Uint8Array(128 * HASH_BYTES)

/**
 * The root over leaf hashes, given one by one or flat (32·n bytes). Level by level: pairs are hashed, a last one
 * without a partner moves up as it is, which is the RFC's split.
 * @throws RangeError if flat input is not a multiple of 32 bytes
 */
export function merkleRoot(leafHashes: readonly Uint8Array[] | Uint8Array): Uint8Array<ArrayBuffer> {
  let width = fillLevel(leafHashes)
  if (width === 0) return EMPTY_ROOT
  for (; width > 1; width = (width + 1) >>> 1) {
    const pairs = width >>> 1
    for (let i = 0; i < pairs; i++) {
      const from = 2 * i * HASH_BYTES
      for (let byte = 0; byte < 2 * HASH_BYTES; byte++) preimage[1 + byte] = level[from + byte] as number
      sha256Into(level, preimage, i * HASH_BYTES)
    }
    if (width % 2 === 1) level.copyWithin(pairs * HASH_BYTES, (width - 1) * HASH_BYTES, width * HASH_BYTES)
  }
  return level.slice(0, HASH_BYTES)
}

/** Copies the leaves to `level` and says how many they are. */
function fillLevel(leafHashes: readonly Uint8Array[] | Uint8Array): number {
  const flat = leafHashes instanceof Uint8Array
  const bytes = flat ? leafHashes.byteLength : leafHashes.length * HASH_BYTES
  if (bytes % HASH_BYTES !== 0) throw new RangeError(`${bytes} bytes are not a list of hashes`)
  if (bytes > level.byteLength) level = new Uint8Array(bytes)
  if (flat) level.set(leafHashes)
  else for (let i = 0; i < leafHashes.length; i++) level.set(leafHashes[i] as Uint8Array, i * HASH_BYTES)
  return bytes / HASH_BYTES
}
