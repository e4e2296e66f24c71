import { HASH_BYTES } from '../chain/merkle.ts'
import type { StateEntry } from '../chain/state.ts'
import { concatBytes, u64be } from '../codec/bytes.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { bytesKey, rangeOf, TABLE, view } from './keys.ts'

/** The entries of the three indexes (protocol §6) as of the height in the state mark of meta. */
export class StateStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  put(batch: WriteBatch, entry: StateEntry): void {
    const row = concatBytes(u64be(entry.count), entry.head, entry.key)
    batch.put(bytesKey(TABLE.STATE, Uint8Array.of(entry.index), entry.keyHash), row)
  }

  /** All entries, index by index in the order of key hashes. */
  async *all(): AsyncGenerator<StateEntry> {
    for await (const [key, row] of this.#database.rows({ ...rangeOf(TABLE.STATE), fillCache: false })) {
      yield {
        index: key[1] as StateEntry['index'],
        keyHash: key.subarray(2),
        count: Number(view(row).readBigUInt64BE(0)),
        head: row.subarray(8, 8 + HASH_BYTES),
        key: row.subarray(8 + HASH_BYTES)
      }
    }
  }
}
