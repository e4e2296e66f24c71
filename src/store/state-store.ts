import type { BucketName } from '../chain/bucket-name.ts'
import type { ChangedBucket } from '../chain/bucket-trie.ts'
import { HASH_BYTES } from '../chain/merkle.ts'
import type { StateIndex } from '../chain/state.ts'
import type { WriteBatch } from './batch.ts'
import type { Database, Row, View } from './database.ts'
import { bytesKey, rangeOf, TABLE } from './keys.ts'

export interface BucketRow extends ChangedBucket {
  readonly index: StateIndex
}

export interface KeyRow {
  readonly index: StateIndex
  readonly keyHash: Uint8Array
  readonly key: Uint8Array
}

/**
 * The three indexes (protocol §6) as of the height in the state mark of meta: buckets of records, each with its hash, and
 * the raw keys, which are written once and needed for snapshots alone. What it gives is part of what was read.
 */
export class StateStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  putBucket(batch: WriteBatch, index: StateIndex, { name, records, hash }: ChangedBucket): void {
    const row = new Uint8Array(HASH_BYTES + records.byteLength)
    row.set(hash)
    row.set(records, HASH_BYTES)
    batch.put(bucketKey(index, name), row)
  }

  delBucket(batch: WriteBatch, index: StateIndex, name: BucketName): void {
    batch.del(bucketKey(index, name))
  }

  putKey(batch: WriteBatch, { index, keyHash, key }: KeyRow): void {
    batch.put(bytesKey(TABLE.STATE_KEY, Uint8Array.of(index), keyHash), key)
  }

  /** The records of buckets. Names in their order are read faster. */
  async buckets(index: StateIndex, names: readonly BucketName[]): Promise<(Uint8Array | undefined)[]> {
    const rows = await this.#database.getMany(names.map((name) => bucketKey(index, name)))
    return rows.map((row) => row?.subarray(HASH_BYTES))
  }

  /** All buckets, index by index in the order of key hashes; of one index or of all. */
  async *allBuckets(index?: StateIndex, view?: View): AsyncGenerator<BucketRow> {
    for await (const [key, row] of this.#rows(TABLE.STATE, index, view)) {
      const hash = row.subarray(0, HASH_BYTES)
      yield { index: key[1] as StateIndex, name: key.subarray(2), hash, records: row.subarray(HASH_BYTES) }
    }
  }

  /** All raw keys, in the order of their hashes. */
  async *allKeys(index?: StateIndex, view?: View): AsyncGenerator<KeyRow> {
    for await (const [key, value] of this.#rows(TABLE.STATE_KEY, index, view)) {
      yield { index: key[1] as StateIndex, keyHash: key.subarray(2), key: value }
    }
  }

  #rows(table: 0x07 | 0x0c, index?: StateIndex, view?: View): AsyncGenerator<Row> {
    const range = index === undefined ? rangeOf(table) : rangeOf(table, Uint8Array.of(index))
    return this.#database.rows({ ...range, fillCache: false, view })
  }
}

/** table ‖ index ‖ name */
function bucketKey(index: StateIndex, name: BucketName): Uint8Array {
  const key = Buffer.allocUnsafe(2 + name.byteLength)
  key[0] = TABLE.STATE
  key[1] = index
  key.set(name, 2)
  return key
}
