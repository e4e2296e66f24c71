import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { bytesKey, heightBytes, heightKey, heightOfKey, heightRange, rangeOf, readHeight, TABLE } from './keys.ts'

export interface StoredRow {
  readonly height: number
  readonly bytes: Uint8Array
}

/** Finalized blocks with their commits as the bytes they came in, by height, and heights by block hash. */
export class BlockStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  put(batch: WriteBatch, height: number, hash: Uint8Array, finalized: Uint8Array): void {
    batch.put(heightKey(TABLE.BLOCK, height), finalized)
    batch.put(bytesKey(TABLE.HASH, hash), heightBytes(height))
  }

  /** The FinalizedBlock of a height. */
  get(height: number): Promise<Uint8Array | undefined> {
    return this.#database.get(heightKey(TABLE.BLOCK, height))
  }

  async heightOf(hash: Uint8Array): Promise<number | undefined> {
    const row = await this.#database.get(bytesKey(TABLE.HASH, hash))
    return row && readHeight(row)
  }

  /**
   * FinalizedBlocks from height `from` to `to`, both included, ascending. At most `readAheadBytes` and a block are in
   * memory before they are asked for: a slow reader (a peer that downloads) must not fill it.
   */
  async *range(from: number, to: number, readAheadBytes: number): AsyncGenerator<StoredRow> {
    // Around the cache: a peer that downloads the chain would push everything else out of it.
    const range = { ...heightRange(TABLE.BLOCK, from, to), readAheadBytes, fillCache: false }
    for await (const [key, bytes] of this.#database.rows(range)) yield { height: heightOfKey(key), bytes }
  }

  /** Height of the highest block that is stored, whatever the tip says. */
  async highest(): Promise<number | undefined> {
    const row = await this.#database.first({ ...heightRange(TABLE.BLOCK, 0), reverse: true })
    return row && heightOfKey(row[0])
  }

  /** Number of rows of the hash table; a walk over all of it. */
  async countHashes(): Promise<number> {
    let count = 0
    for await (const _ of this.#database.rows({ ...rangeOf(TABLE.HASH), fillCache: false })) count++
    return count
  }
}
