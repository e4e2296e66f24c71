import { sha256 } from '../crypto/sha256.ts'

/**
 * The Merkle tree of RFC 9162 §2.1 (the same tree as RFC 6962's): leaf SHA-256(0x00 ‖ data), node
 * SHA-256(0x01 ‖ left ‖ right), split at the largest power of two below the size; the empty root is SHA-256 of nothing.
 * `events_root` is this tree over a block's events, `mmr_root` over block hashes (kept as a range, see mmr.ts).
 */

export const HASH_BYTES = 32

/** The root of a tree of no leaves. */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array(0))

/** Leaves `start` … `end − 1`. */
export interface LeafRange {
  readonly start: number
  readonly end: number
}

/** A node's preimage. Reused: nothing here yields between writing it and hashing it. */
const preimage = new Uint8Array(1 + 2 * HASH_BYTES)
preimage[0] = 0x01

/** SHA-256(0x00 ‖ data). */
export function leafHash(data: Uint8Array): Uint8Array {
  const tagged = new Uint8Array(1 + data.byteLength)
  tagged.set(data, 1)
  return sha256(tagged)
}

/** SHA-256(0x01 ‖ left ‖ right); both are 32 bytes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  preimage.set(left, 1)
  preimage.set(right, 1 + HASH_BYTES)
  return sha256(preimage)
}

/**
 * The root over leaf hashes, given one by one or flat (32·n bytes). Level by level: pairs are hashed, a last one
 * without a partner moves up as it is, which is the RFC's split.
 * @throws RangeError if flat input is not a multiple of 32 bytes
 */
export function merkleRoot(leafHashes: readonly Uint8Array[] | Uint8Array): Uint8Array {
  const level = leafHashes instanceof Uint8Array ? splitHashes(leafHashes) : leafHashes.slice()
  for (let width = level.length; width > 1; width = (width + 1) >>> 1) {
    for (let i = 0; i + 1 < width; i += 2) level[i >>> 1] = nodeHash(level[i] as Uint8Array, level[i + 1] as Uint8Array)
    if (width % 2 === 1) level[width >>> 1] = level[width - 1] as Uint8Array
  }
  return level[0] ?? EMPTY_ROOT
}

/** A flat list as views of each hash. */
function splitHashes(flat: Uint8Array): Uint8Array[] {
  if (flat.byteLength % HASH_BYTES !== 0) throw new RangeError(`${flat.byteLength} bytes are not a list of hashes`)
  const level: Uint8Array[] = new Array(flat.byteLength / HASH_BYTES)
  for (let i = 0; i < level.length; i++) level[i] = flat.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)
  return level
}
