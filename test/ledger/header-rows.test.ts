import { ClassicLevel } from 'classic-level'
import { expect, onTestFinished, test } from 'vitest'
import type { Genesis } from '../../src/chain/genesis.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { verifyHome } from '../../src/ledger/verify/verify.ts'
import { silentLog } from '../../src/log.ts'
import { heightKey, heightOfKey, rangeOf, TABLE } from '../../src/store/keys.ts'
import { applyAll } from '../support/chain-builder.ts'
import { ChainMaker, type ChainSpec } from '../support/chain-maker.ts'
import { tempDir } from '../support/temp-dir.ts'

/** A closed database whose blocks have these numbers of events. */
async function writeChain(counts: readonly number[], options: Partial<ChainSpec>) {
  const path = tempDir()
  const maker = new ChainMaker(options)
  const ledger = await Ledger.open({ path, genesis: maker.genesis, log: silentLog })
  await applyAll(
    ledger,
    counts.map((count) => maker.next(maker.events(count)))
  )
  await ledger.close()
  return { path, genesis: maker.genesis }
}

async function collect(ledger: Ledger, start: number, count: number): Promise<Uint8Array[]> {
  const got: Uint8Array[] = []
  for await (const bytes of ledger.readHeaders(start, count)) got.push(bytes.slice())
  return got
}

async function open(path: string, genesis: Genesis): Promise<Ledger> {
  const ledger = await Ledger.open({ path, genesis, log: silentLog })
  onTestFinished(() => ledger.close())
  return ledger
}

/** Heights that had a row; now none has, as in a database that an older version wrote. */
async function removeRows(path: string): Promise<number[]> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  const heights = (await level.keys(rangeOf(TABLE.HEADER)).all()).map((key) => heightOfKey(key))
  await level.batch(heights.map((height) => ({ type: 'del' as const, key: heightKey(TABLE.HEADER, height) })))
  await level.close()
  return heights
}

test('headers from their own rows are those that are cut out of the blocks', async () => {
  // A stretch of large blocks over two runs, then large and small ones mixed, then small ones.
  const counts = Array.from({ length: 300 }, (_, i) => (i < 200 ? 2 : i < 250 ? (i % 3) * 2 : 0))
  const { path, genesis } = await writeChain(counts, { eventBytes: 4000 })
  const ranges = [
    [1, 1024],
    [1, 1],
    [120, 20],
    [129, 128],
    [195, 10],
    [260, 41],
    [300, 1]
  ] as const
  const read = async () => {
    const ledger = await Ledger.open({ path, genesis, log: silentLog })
    const got: Uint8Array[][] = []
    for (const [start, count] of ranges) got.push(await collect(ledger, start, count))
    await ledger.close()
    return got
  }
  const fast = await read()
  expect((await verifyHome({ path, genesis })).fault).toBeUndefined()
  const heights = await removeRows(path)
  expect(heights).toEqual(counts.flatMap((count, i) => (count > 0 ? [i + 1] : [])))
  const slow = await read()
  expect(fast).toEqual(slow)
  expect(fast.map((headers) => headers.length)).toEqual([300, 1, 20, 128, 10, 41, 1])
  expect((await verifyHome({ path, genesis })).fault).toBeUndefined()
})

test('headers of large blocks without rows end early: they are read with their blocks', async () => {
  const params = { maxBlockBytes: 2 << 20, maxEventBytes: 262_144 }
  const { path, genesis } = await writeChain(Array<number>(20).fill(10), { eventBytes: 200_000, params })
  await removeRows(path)
  const ledger = await open(path, genesis)
  const first = await collect(ledger, 1, 20)
  expect(first.length).toBeGreaterThan(10)
  expect(first.length).toBeLessThan(20)
  expect(await collect(ledger, 1 + first.length, 20)).toHaveLength(20 - first.length)
})
