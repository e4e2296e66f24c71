import { HASH_BYTES, leafHash } from '../chain/merkle.ts'
import { equalBytes, utf8 } from '../codec/bytes.ts'
import { Header } from '../codec/generated/chain.ts'
import { splitBlock, splitFinalized } from '../codec/raw.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { corrupt, storeError } from './errors.ts'
import { bytesKey, heightKey, rangeOf, readHeight, TABLE } from './keys.ts'
import { type Identity, MetaStore } from './meta-store.ts'

const ROWS_A_BATCH = 5000

/** Of format 2: the hashes of buckets in rows of their own. */
const OLD_STATE_HASH = 0x0b

/**
 * To format 3. Before, the state had other rows (in format 1 one a key), and in format 1 an MMR row began with the leaf
 * instead of the block hash that it is made of. The state goes: it is folded again from the blocks when the ledger opens.
 * Killed on the way it starts over: what was done stays as it is.
 * @throws MolochError STORE_FORMAT if not all blocks are there to fold it from
 */
export async function migrate(database: Database, identity: Identity): Promise<void> {
  const meta = new MetaStore(database)
  const earliest = await meta.earliest()
  if (earliest > 1) {
    throw storeError(
      'STORE_FORMAT',
      `the database in ${database.path} has format ${identity.format} and no block below ${earliest} to make format 3 from: remove the folder and sync again`,
      { path: database.path, format: identity.format }
    )
  }
  const rows = new RowWriter(database)
  for (const gte of [bytesKey(TABLE.STATE), bytesKey(TABLE.STATE_KEY), Uint8Array.of(OLD_STATE_HASH)]) {
    const lt = Uint8Array.of((gte[0] as number) + 1)
    for await (const [key] of database.rows({ gte, lt, fillCache: false })) {
      rows.batch.del(key)
      await rows.flush(ROWS_A_BATCH)
    }
  }
  if (identity.format === 1) await migrateMmr(database, meta, rows)
  rows.batch.del(bytesKey(TABLE.META, utf8('state')))
  meta.setIdentity(rows.batch, { ...identity, format: 3 })
  await rows.flush(0)
}

/** Writes a batch after some rows. */
class RowWriter {
  readonly #database: Database
  batch: WriteBatch

  constructor(database: Database) {
    this.#database = database
    this.batch = database.batch()
  }

  async flush(least: number): Promise<void> {
    if (this.batch.operations < least) return
    await this.#database.write(this.batch)
    this.batch = this.#database.batch()
  }
}

async function migrateMmr(database: Database, meta: MetaStore, rows: RowWriter): Promise<void> {
  for await (const [key, height] of database.rows({ ...rangeOf(TABLE.HASH), fillCache: false })) {
    const rowKey = heightKey(TABLE.MMR, readHeight(height))
    const row = await database.get(rowKey)
    if (row === undefined) throw corrupt(database.path, `the MMR's leaf ${readHeight(height)} is missing`)
    const hash = key.subarray(1)
    if (!equalBytes(row.subarray(0, HASH_BYTES), leafHash(hash))) continue
    rows.batch.put(rowKey, Buffer.concat([hash, row.subarray(HASH_BYTES)]))
    await rows.flush(ROWS_A_BATCH)
  }
  const zero = await hashOfBlockZero(database, meta)
  if (zero !== undefined) rows.batch.put(heightKey(TABLE.MMR, 0), zero)
}

/** No table has it: it is the first block's parent, or the tip. Undefined: nothing was ever written. */
async function hashOfBlockZero(database: Database, meta: MetaStore): Promise<Uint8Array | undefined> {
  const first = await database.get(heightKey(TABLE.BLOCK, 1))
  if (first === undefined) return (await meta.tip())?.hash
  return Header.decode(splitBlock(splitFinalized(first).block).header).parentHash
}
