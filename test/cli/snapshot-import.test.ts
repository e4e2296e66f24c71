import { existsSync, readdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { checkpointText } from '../../src/chain/checkpoint.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { importSnapshot } from '../../src/ledger/snapshot/import-snapshot.ts'
import { silentLog } from '../../src/log.ts'
import { createHome } from '../../src/node/create-home.ts'
import { homePaths } from '../../src/node/home.ts'
import { withHomeLock } from '../../src/node/home-lock.ts'
import { type SnapshotSource, snapshotSource } from '../ledger/support/snapshot-source.ts'
import { tempDir } from '../support/temp-dir.ts'
import { moloch } from './support/run.ts'

async function homeFor({ chain }: SnapshotSource): Promise<string> {
  const home = join(tempDir(), 'home')
  await createHome({ home, genesis: chain.genesis })
  return home
}

function importInto(home: string, { path, manifest }: SnapshotSource) {
  const checkpoint = checkpointText({ height: manifest.height, hash: manifest.header.hash })
  const file = join(`${path}-snapshots`, `${manifest.height}.snapshot`)
  return moloch(['snapshot', 'import', file, '--checkpoint', checkpoint, '--home', home])
}

test('a home that another process works on is left alone', async () => {
  const source = await snapshotSource(20)
  const home = await homeFor(source)
  const { chain } = homePaths(home)
  await withHomeLock(home, async () => {
    const line = `moloch: another process works on the home ${home}: stop that one, or use another home`
    expect(await importInto(home, source)).toEqual({ code: 1, out: '', err: line })
  })
  expect([chain, `${chain}.new`, `${chain}.staged`].filter(existsSync)).toEqual([])
  expect(await importInto(home, source)).toMatchObject({
    code: 0,
    out: `${home} begins at block 20; blocks below it that are not there are fetched when it runs`
  })
})

test('where there is no chain, none is made to build a snapshot of', async () => {
  const home = await homeFor(await snapshotSource(10))
  const { chain } = homePaths(home)
  const err = `moloch: there is no chain in ${chain}: start the node once, or name another home`
  expect(await moloch(['snapshot', 'create', '--home', home])).toEqual({ code: 1, out: '', err })
  expect(existsSync(chain)).toBe(false)
})

/** A chain of no blocks at `path`, an event that was accepted, and an import of block 10 that waits. @returns the event's id */
async function withWaitingImport(path: string, { chain: { genesis, maker } }: SnapshotSource): Promise<string> {
  const lower = await snapshotSource(10)
  const event = maker.event()
  const old = await Ledger.open({ path, genesis, log: silentLog })
  await old.saveMempool([event])
  await old.close()
  const readChunk = (chunk: number) => lower.snapshots.readChunk(10, chunk)
  await importSnapshot({ genesis, manifest: lower.manifest, path, readChunk })
  return toHex(event.id)
}

async function expectImported(home: string, source: SnapshotSource, event: string): Promise<void> {
  const { chain: path } = homePaths(home)
  expect(await importInto(home, source)).toMatchObject({ code: 0, err: '' })
  expect(readdirSync(dirname(path)).filter((name) => name.startsWith('chain'))).toEqual(['chain'])
  const ledger = await Ledger.open({ path, genesis: source.chain.genesis, log: silentLog })
  expect(ledger.tip.height).toBe(20)
  expect(ledger.history.held).toEqual([])
  expect((await ledger.loadMempool()).map(({ id }) => toHex(id))).toEqual([event])
  await ledger.close()
}

test('after an import that was stopped between the renames of its switch nothing is lost to this one', async () => {
  const source = await snapshotSource(20)
  const home = await homeFor(source)
  const { chain: path } = homePaths(home)
  const event = await withWaitingImport(path, source)
  renameSync(path, `${path}.old`)
  await expectImported(home, source, event)
})

test('an import that waits is not taken where another one is given', async () => {
  const source = await snapshotSource(20)
  const home = await homeFor(source)
  const { chain: path } = homePaths(home)
  await expectImported(home, source, await withWaitingImport(path, source))
})
