import { HASH_BYTES, leafHash } from '../chain/merkle.ts'
import { equalBytes, utf8 } from '../codec/bytes.ts'
import { Header } from '../codec/generated/chain.ts'
import { splitBlock, splitFinalized } from '../codec/raw.ts'
import type { Database } from './database.ts'
import { corrupt } from './errors.ts'
import { bytesKey, heightKey, rangeOf, readHeight, TABLE } from './keys.ts'
import { type Identity, MetaStore } from './meta-store.ts'

const ROWS_A_BATCH = 5000

/**
 * From format 1. There the state was a row a key, and an MMR row began with the leaf instead of the block hash that it is
 * made of. The state goes: it is folded again from the blocks when the ledger opens. Killed on the way it starts over:
 * what was done stays as it is.
 */
export async function migrateFormat1(database: Database, identity: Identity): Promise<void> {
  const meta = new MetaStore(database)
  let batch = database.batch()
  const flush = async (least: number): Promise<void> => {
    if (batch.operations < least) return
    await database.write(batch)
    batch = database.batch()
  }
  for await (const [key] of database.rows({ ...rangeOf(TABLE.STATE), fillCache: false })) {
    batch.del(key)
    await flush(ROWS_A_BATCH)
  }
  for await (const [key, height] of database.rows({ ...rangeOf(TABLE.HASH), fillCache: false })) {
    const rowKey = heightKey(TABLE.MMR, readHeight(height))
    const row = await database.get(rowKey)
    if (row === undefined) throw corrupt(database.path, `the MMR's leaf ${readHeight(height)} is missing`)
    const hash = key.subarray(1)
    if (!equalBytes(row.subarray(0, HASH_BYTES), leafHash(hash))) continue
    batch.put(rowKey, Buffer.concat([hash, row.subarray(HASH_BYTES)]))
    await flush(ROWS_A_BATCH)
  }
  const zero = await hashOfBlockZero(database, meta)
  if (zero !== undefined) batch.put(heightKey(TABLE.MMR, 0), zero)
  batch.del(bytesKey(TABLE.META, utf8('state')))
  meta.setIdentity(batch, { ...identity, format: 2 })
  await database.write(batch)
}

/** No table has it: it is the first block's parent, or the tip. Undefined: nothing was ever written. */
async function hashOfBlockZero(database: Database, meta: MetaStore): Promise<Uint8Array | undefined> {
  const first = await database.get(heightKey(TABLE.BLOCK, 1))
  if (first === undefined) return (await meta.tip())?.hash
  return Header.decode(splitBlock(splitFinalized(first).block).header).parentHash
}
