import { createHash } from 'node:crypto'
import type { Genesis } from '../../src/chain/genesis.ts'
import { restoreChain } from '../../src/ledger/restore.ts'
import { type Stores, storesOf } from '../../src/ledger/stores.ts'
import { Database } from '../../src/store/database.ts'
import { heightRange, rangeOf, readHeight, TABLE } from '../../src/store/keys.ts'

/**
 * Makes of a whole database what a warp to `height` leaves: all block hashes, the state, the blocks from there up, and
 * nothing of the history below.
 */
export async function forgetHistory(path: string, genesis: Genesis, height: number): Promise<void> {
  const database = await Database.open(path, { genesisHash: genesis.hash, create: false })
  try {
    const stores = storesOf(database)
    // One that is older than the checkpoint would be folded on from blocks that are gone.
    if ((await stores.meta.stateMark()).height < height - 1) await bringState(genesis, stores)
    const batch = database.batch()
    for (const table of [TABLE.BLOCK, TABLE.HEADER, TABLE.EVENT_IDS, TABLE.EVENT_KEYS] as const) {
      for await (const [key] of database.rows(heightRange(table, 1, height - 1))) batch.del(key)
    }
    for await (const [key, row] of database.rows(rangeOf(TABLE.HASH))) if (readHeight(row) < height) batch.del(key)
    for await (const [key] of database.rows(rangeOf(TABLE.SEGMENT))) batch.del(key)
    stores.meta.setEarliest(batch, height)
    await database.write(batch)
  } finally {
    await database.close()
  }
}

/** Writes the state up to the tip: a node does it now and then, and folds again what came since. */
export async function writeState(path: string, genesis: Genesis): Promise<void> {
  const database = await Database.open(path, { genesisHash: genesis.hash, create: false })
  try {
    await bringState(genesis, storesOf(database))
  } finally {
    await database.close()
  }
}

async function bringState(genesis: Genesis, stores: Stores): Promise<void> {
  const { head, state } = await restoreChain(genesis, stores)
  const batch = stores.database.batch()
  await state.flush(batch)
  stores.meta.setStateMark(batch, { height: head.tip.height, eventTotal: state.eventTotal })
  await stores.database.write(batch)
}

/**
 * Hash of all rows that follow from the chain alone. Left out are the segments of the event index, whose bounds follow
 * from the order in which blocks came.
 */
export async function contentHash(path: string, genesis: Genesis): Promise<string> {
  const database = await Database.open(path, { genesisHash: genesis.hash, create: false })
  const hash = createHash('sha256')
  try {
    for await (const [key, value] of database.rows({})) {
      if (key[0] === TABLE.SEGMENT) continue
      for (const part of [key, value])
        hash.update(Uint8Array.of(part.byteLength >>> 16, part.byteLength >>> 8, part.byteLength)).update(part)
    }
    return hash.digest('hex')
  } finally {
    await database.close()
  }
}
