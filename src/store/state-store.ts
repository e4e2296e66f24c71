import type { BucketName, ChangedBucket } from '../chain/bucket-trie.ts'
import type { StateIndex } from '../chain/state.ts'
import type { WriteBatch } from './batch.ts'
import type { Database, View } from './database.ts'
import { bytesKey, rangeOf, TABLE } from './keys.ts'

/** A row of one of the tables of an index. */
export interface StateRow {
  readonly index: StateIndex
  /** A bucket's name, or a key hash. */
  readonly name: Uint8Array
  readonly value: Uint8Array
}

/**
 * The three indexes (protocol §6) as of the height in the state mark of meta: buckets of records, the hash of each
 * bucket, and the raw keys, which are written once and needed for snapshots alone.
 */
export class StateStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  putBucket(batch: WriteBatch, index: StateIndex, { name, records, hash }: ChangedBucket): void {
    batch.put(bytesKey(TABLE.STATE, Uint8Array.of(index), name), records)
    batch.put(bytesKey(TABLE.STATE_HASH, Uint8Array.of(index), name), hash)
  }

  delBucket(batch: WriteBatch, index: StateIndex, name: BucketName): void {
    batch.del(bytesKey(TABLE.STATE, Uint8Array.of(index), name))
    batch.del(bytesKey(TABLE.STATE_HASH, Uint8Array.of(index), name))
  }

  putKey(batch: WriteBatch, index: StateIndex, keyHash: Uint8Array, key: Uint8Array): void {
    batch.put(bytesKey(TABLE.STATE_KEY, Uint8Array.of(index), keyHash), key)
  }

  /** The records of buckets. */
  buckets(index: StateIndex, names: readonly BucketName[]): Promise<(Uint8Array | undefined)[]> {
    return this.#database.getMany(names.map((name) => bytesKey(TABLE.STATE, Uint8Array.of(index), name)))
  }

  /** The hash of every bucket. */
  hashes(): AsyncGenerator<StateRow> {
    return this.#rows(TABLE.STATE_HASH)
  }

  /** All buckets, index by index in the order of key hashes; of one index or of all. */
  allBuckets(index?: StateIndex, view?: View): AsyncGenerator<StateRow> {
    return this.#rows(TABLE.STATE, index, view)
  }

  /** All raw keys, in the order of their hashes. */
  allKeys(index?: StateIndex, view?: View): AsyncGenerator<StateRow> {
    return this.#rows(TABLE.STATE_KEY, index, view)
  }

  async *#rows(table: 0x07 | 0x0b | 0x0c, index?: StateIndex, view?: View): AsyncGenerator<StateRow> {
    const range = index === undefined ? rangeOf(table) : rangeOf(table, Uint8Array.of(index))
    for await (const [key, value] of this.#database.rows({ ...range, fillCache: false, view })) {
      yield { index: key[1] as StateIndex, name: key.subarray(2), value }
    }
  }
}
