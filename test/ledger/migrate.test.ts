import { ClassicLevel } from 'classic-level'
import { expect, test } from 'vitest'
import { leafHash } from '../../src/chain/merkle.ts'
import { toHex, utf8 } from '../../src/codec/bytes.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { verifyHome } from '../../src/ledger/verify/verify.ts'
import { silentLog } from '../../src/log.ts'
import { bytesKey, heightBytes, rangeOf, TABLE } from '../../src/store/keys.ts'
import { applyAll } from '../support/chain-builder.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { tempDir } from '../support/temp-dir.ts'

const SPEC = { eventsPerBlock: 6, actors: 3, resources: 40, params: { snapshotInterval: 4 } }
const IDENTITY = bytesKey(TABLE.META, utf8('identity'))

/** Makes a database what format 1 was: a row a key of the state, and MMR rows that begin with the leaf. */
async function downgrade(path: string, genesisHash: Uint8Array, leaves: number): Promise<void> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  for (const table of [TABLE.STATE, TABLE.STATE_KEY]) await level.clear(rangeOf(table))
  for (let i = 0; i < 20; i++) {
    const key = new Uint8Array(32).fill(i)
    await level.put(bytesKey(TABLE.STATE, Uint8Array.of(i % 3), key), new Uint8Array(60))
  }
  const rows = await level.iterator(rangeOf(TABLE.MMR)).all()
  for (const [key, row] of rows.slice(0, leaves)) {
    await level.put(key, Buffer.concat([leafHash(row.subarray(0, 32)), row.subarray(32)]))
  }
  await level.put(IDENTITY, Buffer.concat([Uint8Array.of(0, 0, 0, 1), genesisHash]))
  await level.close()
}

// Fewer leaves: a migration that was killed had got that far.
test.each([[Number.POSITIVE_INFINITY], [7]])(
  'a database of format 1 is brought to format 3 (%s old leaves)',
  async (leaves) => {
    const { genesis, blocks } = chainInMemory(22, SPEC)
    const path = tempDir()
    const tuning = { stateWork: 20 }
    const first = await Ledger.open({ path, genesis, log: silentLog, tuning })
    await applyAll(first, blocks.slice(0, 18))
    await first.close()
    await downgrade(path, genesis.hash, leaves)

    const ledger = await Ledger.open({ path, genesis, log: silentLog, tuning })
    expect(toHex(ledger.tip.hash)).toBe(toHex(blocks[17]?.hash as Uint8Array))
    expect(ledger.eventTotal).toBe(18 * 6)
    await applyAll(ledger, blocks.slice(18))
    await ledger.close()
    expect(await verifyHome({ path, genesis })).toEqual({ height: 22, events: 22 * 6, fault: undefined })
  }
)

test('a database of format 1 with no block is brought to format 3', async () => {
  const { genesis, blocks } = chainInMemory(5, SPEC)
  const path = tempDir()
  const first = await Ledger.open({ path, genesis, log: silentLog })
  await first.close()
  await downgrade(path, genesis.hash, 1)
  const ledger = await Ledger.open({ path, genesis, log: silentLog })
  await applyAll(ledger, blocks)
  await ledger.close()
  expect(await verifyHome({ path, genesis })).toEqual({ height: 5, events: 30, fault: undefined })
})

/** What format 2 was: rows of eight keys, and the hash of each in a row of its own. */
async function downgradeTo2(path: string, genesisHash: Uint8Array, earliest?: number): Promise<void> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.clear(rangeOf(TABLE.STATE))
  for (const index of [0, 1, 2]) {
    await level.put(bytesKey(TABLE.STATE, Uint8Array.of(index, 0)), new Uint8Array(8 * 72))
    await level.put(Uint8Array.of(0x0b, index, 0), new Uint8Array(32))
  }
  if (earliest !== undefined) await level.put(bytesKey(TABLE.META, utf8('earliest')), heightBytes(earliest))
  await level.put(IDENTITY, Buffer.concat([Uint8Array.of(0, 0, 0, 2), genesisHash]))
  await level.close()
}

test('a database of format 2 is brought to format 3, unless blocks are missing to fold its state from', async () => {
  const { genesis, blocks } = chainInMemory(22, SPEC)
  const path = tempDir()
  const first = await Ledger.open({ path, genesis, log: silentLog, tuning: { stateWork: 20 } })
  await applyAll(first, blocks)
  await first.close()
  await downgradeTo2(path, genesis.hash, 9)
  await expect(Ledger.open({ path, genesis, log: silentLog })).rejects.toThrow(
    /has format 2 and no block below 9 to make format 3 from: remove the folder and sync again$/
  )
  await downgradeTo2(path, genesis.hash, 1)
  await (await Ledger.open({ path, genesis, log: silentLog })).close()
  expect(await verifyHome({ path, genesis })).toEqual({ height: 22, events: 22 * 6, fault: undefined })
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  expect(await level.keys({ gte: Uint8Array.of(0x0b), lt: Uint8Array.of(0x0c) }).all()).toEqual([])
  await level.close()
})
