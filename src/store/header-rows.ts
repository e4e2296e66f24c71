import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { heightKey, heightOfKey, heightRange, TABLE } from './keys.ts'

/** Bounds what a reader of a run holds: with 128 validators a header has 9 kB. */
const READ_AHEAD_BYTES = 256 << 10

/**
 * TrustedHeaders of blocks that are much larger: light clients ask for a thousand at a time, and cutting them out of the
 * blocks' rows reads some 35 bytes for each that is sent.
 */
export class HeaderRows {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  put(batch: WriteBatch, height: number, trustedHeader: Uint8Array): void {
    batch.put(heightKey(TABLE.HEADER, height), trustedHeader)
  }

  get(height: number): Promise<Uint8Array | undefined> {
    return this.#database.get(heightKey(TABLE.HEADER, height))
  }

  /** Of heights `from` … `to`, both included; undefined if one of them has no row. */
  async run(from: number, to: number): Promise<Uint8Array[] | undefined> {
    const found: Uint8Array[] = []
    // Around the cache, as blocks are read.
    const range = { ...heightRange(TABLE.HEADER, from, to), readAheadBytes: READ_AHEAD_BYTES, fillCache: false }
    for await (const [key, row] of this.#database.rows(range)) {
      if (heightOfKey(key) !== from + found.length) return undefined
      found.push(row)
    }
    return found.length === to - from + 1 ? found : undefined
  }

  /** Number of rows; a walk over all of them. */
  async count(): Promise<number> {
    let count = 0
    for await (const _ of this.#database.rows({ ...heightRange(TABLE.HEADER, 0), fillCache: false })) count++
    return count
  }
}
