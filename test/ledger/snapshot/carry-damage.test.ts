import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { expect, test } from 'vitest'
import { switchDatabase } from '../../../src/ledger/snapshot/switch-database.ts'
import { verifyHome } from '../../../src/ledger/verify/verify.ts'
import { heightKey, TABLE } from '../../../src/store/keys.ts'
import { ChainMaker, chainInMemory } from '../../support/chain-maker.ts'
import {
  expectFindable,
  folders,
  imported,
  large,
  OLD_TIP,
  oldDatabase,
  opened,
  SNAPSHOT,
  spec,
  withStores
} from '../support/carry-world.ts'
import { snapshotSource } from '../support/snapshot-source.ts'

test('a block that is damaged anywhere or missing stays behind, and those after it come along', async () => {
  const chain = chainInMemory(SNAPSHOT, spec)
  const source = await snapshotSource(SNAPSHOT, chain)
  const path = await oldDatabase(chain)
  await withStores(path, chain, async ({ database, blocks }) => {
    const batch = database.batch()
    const flip = async (height: number, at: (length: number) => number) => {
      const damaged = ((await blocks.get(height)) as Uint8Array).slice()
      const place = at(damaged.byteLength)
      damaged[place] = (damaged[place] as number) ^ 1
      batch.put(heightKey(TABLE.BLOCK, height), damaged)
    }
    await flip(4, (length) => length >>> 1)
    await flip(7, () => 60)
    batch.put(heightKey(TABLE.BLOCK, 8), new Uint8Array(3))
    batch.del(heightKey(TABLE.BLOCK, 11))
    batch.put(heightKey(TABLE.BLOCK, 14), (await blocks.get(13)) as Uint8Array)
    await database.write(batch)
  })
  await imported(source, path)
  expect(await switchDatabase(path, chain.genesis)).toMatchObject({ switched: true })
  expect((await verifyHome({ path, genesis: chain.genesis })).fault).toBeUndefined()
  const ledger = await opened(path, chain)
  const held = [
    { from: 1, to: 3 },
    { from: 5, to: 6 },
    { from: 9, to: 10 },
    { from: 12, to: 13 },
    { from: 15, to: OLD_TIP }
  ]
  expect(ledger.history.held).toEqual(held)
  await expectFindable(ledger, chain, (height) => ledger.history.missing(height, height).length === 0)
})

test('rows that follow from a block are made anew: those that are here may be damaged', async () => {
  const chain = chainInMemory(SNAPSHOT, spec)
  const source = await snapshotSource(SNAPSHOT, chain)
  const path = await oldDatabase(chain)
  await withStores(path, chain, async ({ database }) => {
    const batch = database.batch()
    batch.put(heightKey(TABLE.EVENT_IDS, 4), new Uint8Array(8 + 32 * 6))
    batch.del(heightKey(TABLE.EVENT_IDS, 5))
    batch.put(heightKey(TABLE.EVENT_KEYS, 6), new Uint8Array(72))
    batch.put(heightKey(TABLE.HEADER, 7), new Uint8Array(72))
    await database.write(batch)
  })
  await imported(source, path)
  await switchDatabase(path, chain.genesis)
  expect((await verifyHome({ path, genesis: chain.genesis })).fault).toBeUndefined()
  const ledger = await opened(path, chain)
  expect(ledger.history.held).toEqual([{ from: 1, to: OLD_TIP }])
  await expectFindable(ledger, chain, (height) => ledger.history.missing(height, height).length === 0)
})

/** Makes the table of the database that a block is in one that can't be read. */
async function spoilTable(path: string, block: Uint8Array): Promise<void> {
  // Without compression it has several tables, and what is in them is there as it is.
  const level = new ClassicLevel(path, { compression: false, maxFileSize: 1 << 20 })
  await level.open()
  await level.compactRange(new Uint8Array(1), new Uint8Array(8).fill(255), { keyEncoding: 'view' })
  await level.close()
  const tables = readdirSync(path).filter((name) => name.endsWith('.ldb'))
  const at = tables.filter((name) => readFileSync(join(path, name)).includes(Buffer.from(block.slice(-1000))))
  expect(at).toHaveLength(1)
  expect(tables.length).toBeGreaterThan(3)
  const file = join(path, at[0] as string)
  const bytes = readFileSync(file)
  writeFileSync(file, bytes.fill(0, bytes.length - 48))
}

test('what can’t be read of the old database stays behind, and the new one takes its place', async () => {
  const chain = chainInMemory(SNAPSHOT, large)
  const source = await snapshotSource(SNAPSHOT, chain)
  const path = await oldDatabase(chain)
  const event = new ChainMaker({ seed: 99 }).event()
  const old = await opened(path, chain)
  await old.saveMempool([event])
  await old.close()
  await spoilTable(path, chain.blocks[11]?.blockBytes as Uint8Array)
  await imported(source, path)
  const lines: string[] = []
  const report = (line: string) => lines.push(line)
  expect(await switchDatabase(path, chain.genesis, { report })).toEqual({ switched: true, height: SNAPSHOT })
  expect(folders(path)).toEqual(['chain'])
  expect((await verifyHome({ path, genesis: chain.genesis })).fault).toBeUndefined()
  const ledger = await opened(path, chain)
  const { heldCount } = ledger.history
  expect(heldCount).toBeGreaterThan(0)
  expect(ledger.history.missing(12, 12)).toHaveLength(1)
  expect((await ledger.loadMempool()).map(({ id }) => id)).toEqual([event.id])
  expect(lines).toEqual([
    `${heldCount} blocks of the chain that was here are carried over`,
    expect.stringMatching(`^other blocks of the chain that was here can't be read, and are fetched again: .*${path} is`)
  ])
})
