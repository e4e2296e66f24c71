import { HASH_BYTES, type LeafRange, leafHash } from '../chain/merkle.ts'
import { inclusionRanges } from '../chain/merkle-proof.ts'
import { bagPeaks, perfectSubtrees } from '../chain/mmr.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { corrupt } from './errors.ts'
import { heightKey, heightRange, TABLE } from './keys.ts'

/**
 * The block hashes and the nodes of the Merkle Mountain Range over them. Appending leaf i makes a run of nodes: the leaf,
 * then each larger perfect subtree that ends with it. One row a leaf holds the block hash, of which the leaf is made, and
 * the rest of the run: so the root of the subtree of 2^k leaves that ends with leaf i is at offset 32·k of row i, and a block
 * costs one sequential row instead of two on average.
 */
export class MmrStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** @param parents what Mmr.append gave for this leaf */
  put(batch: WriteBatch, leaf: number, blockHash: Uint8Array, parents: readonly Uint8Array[]): void {
    batch.put(heightKey(TABLE.MMR, leaf), mmrRow(blockHash, parents))
  }

  row(leaf: number): Promise<Uint8Array | undefined> {
    return this.#database.get(heightKey(TABLE.MMR, leaf))
  }

  /** Of the block at a height, also of block 0. */
  async blockHash(height: number): Promise<Uint8Array | undefined> {
    return (await this.row(height))?.subarray(0, HASH_BYTES)
  }

  /** Of the blocks at heights `from` … `to`, both included, one after another. */
  async *blockHashes(from: number, to: number): AsyncGenerator<Uint8Array> {
    for await (const [, row] of this.#database.rows({ ...heightRange(TABLE.MMR, from, to), fillCache: false })) {
      yield row.subarray(0, HASH_BYTES)
    }
  }

  /**
   * The root of the perfect subtree of leaves `start` … `start + 2^level − 1`; level 0 is a leaf hash.
   * @throws MolochError STORE_CORRUPT if there is no such node
   */
  async node(start: number, level: number): Promise<Uint8Array> {
    const leaf = start + 2 ** level - 1
    const hash = (await this.row(leaf))?.subarray(HASH_BYTES * level, HASH_BYTES * (level + 1))
    if (hash?.byteLength !== HASH_BYTES)
      throw corrupt(this.#database.path, `MMR node ${level} of leaf ${leaf} is missing`)
    return level === 0 ? leafHash(hash) : hash
  }

  /** RFC 9162's path of the block at a height in the tree over the blocks 0 … size − 1. @throws RangeError if it is not in it */
  async inclusionPath(height: number, size: number): Promise<Uint8Array[]> {
    return Promise.all(inclusionRanges(height, size).map((range) => this.rangeRoot(range)))
  }

  /** Number of rows; a walk over all of them. */
  async count(): Promise<number> {
    let count = 0
    for await (const _ of this.#database.rows({ ...heightRange(TABLE.MMR, 0), fillCache: false })) count++
    return count
  }

  /** The peaks of the range of the first `leafCount` leaves, largest first. */
  peaks(leafCount: number): Promise<Uint8Array[]> {
    return this.#roots(0, leafCount)
  }

  /** The root of one of the RFC tree's subtrees, of at least one leaf: O(log n) reads, one if it is perfect. */
  async rangeRoot({ start, end }: LeafRange): Promise<Uint8Array> {
    return bagPeaks(await this.#roots(start, end))
  }

  /** Side by side: each read is a trip to another thread. */
  #roots(start: number, end: number): Promise<Uint8Array[]> {
    return Promise.all(perfectSubtrees(start, end).map((subtree) => this.node(subtree.start, subtree.height)))
  }
}

/** The row of a leaf. */
export function mmrRow(blockHash: Uint8Array, parents: readonly Uint8Array[]): Uint8Array {
  return parents.length === 0 ? blockHash : Buffer.concat([blockHash, ...parents])
}
