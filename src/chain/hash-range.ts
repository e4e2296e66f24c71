import { sha256Into } from '../crypto/sha256.ts'
import { HASH_BYTES } from './merkle.ts'
import { Mmr } from './mmr.ts'

type Bytes = Uint8Array<ArrayBuffer>

/**
 * The range over a run of block hashes with all its nodes, as Mmr makes them of one leaf after another. Level by level in
 * flat memory: a snapshot has as many hashes as the chain has blocks, and an object for each node costs more than its hash.
 */
export class HashRange {
  readonly count: number
  readonly #hashes: Uint8Array
  /** At k: the roots of the whole subtrees of 2^k leaves, from the left. */
  readonly #levels: readonly Bytes[]

  /** @param hashes 32 bytes a block; kept. @throws RangeError if they are no list of hashes */
  constructor(hashes: Uint8Array) {
    if (hashes.byteLength % HASH_BYTES !== 0)
      throw new RangeError(`${hashes.byteLength} bytes are not a list of hashes`)
    this.count = hashes.byteLength / HASH_BYTES
    this.#hashes = hashes
    const levels = [hashAll(LEAF, hashes, HASH_BYTES)]
    for (let below = levels[0] as Bytes; below.byteLength >= PAIR_BYTES; below = levels.at(-1) as Bytes) {
      levels.push(hashAll(NODE, below, PAIR_BYTES))
    }
    this.#levels = levels
  }

  /** Of the block at this place in the run; a view. */
  hash(at: number): Uint8Array {
    return this.#hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)
  }

  /** What Mmr.append returns for this place; views. */
  parents(at: number): Uint8Array[] {
    const parents: Uint8Array[] = []
    let trees = at + 1
    for (let level = 1; trees % 2 === 0; level++) {
      trees /= 2
      parents.push(this.#root(level, trees - 1))
    }
    return parents
  }

  /** Largest first; views. */
  get peaks(): Uint8Array[] {
    const peaks: Uint8Array[] = []
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const trees = Math.floor(this.count / 2 ** level)
      if (trees % 2 === 1) peaks.push(this.#root(level, trees - 1))
    }
    return peaks
  }

  /** For Mmr.extend. */
  mmr(): Mmr {
    return Mmr.from(this.count, this.peaks)
  }

  #root(level: number, tree: number): Uint8Array {
    return (this.#levels[level] as Bytes).subarray(tree * HASH_BYTES, (tree + 1) * HASH_BYTES)
  }
}

const PAIR_BYTES = 2 * HASH_BYTES

/** Preimages (RFC 9162 §2.1.1). Reused: nothing here yields between writing and hashing them. */
const LEAF = Uint8Array.of(0x00, ...new Uint8Array(HASH_BYTES))
const NODE = Uint8Array.of(0x01, ...new Uint8Array(PAIR_BYTES))

/** The hash of each `width` bytes behind the preimage's tag; a rest shorter than that is left out. */
function hashAll(preimage: Uint8Array, bytes: Uint8Array, width: number): Bytes {
  const count = Math.floor(bytes.byteLength / width)
  const out = new Uint8Array(count * HASH_BYTES)
  for (let i = 0; i < count; i++) {
    const from = i * width
    for (let byte = 0; byte < width; byte++) preimage[1 + byte] = bytes[from + byte] as number
    sha256Into(out, preimage, i * HASH_BYTES)
  }
  return out
}
