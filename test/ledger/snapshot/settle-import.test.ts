import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { toHex } from '../../../src/codec/bytes.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { importSnapshot } from '../../../src/ledger/snapshot/import-snapshot.ts'
import { settleImport } from '../../../src/ledger/snapshot/settle-import.ts'
import { switchDatabase } from '../../../src/ledger/snapshot/switch-database.ts'
import { silentLog } from '../../../src/log.ts'
import { Database } from '../../../src/store/database.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { ChainMaker } from '../../support/chain-maker.ts'
import { Random } from '../../support/random.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type SnapshotSource, snapshotSource } from '../support/snapshot-source.ts'

const HEIGHT = 20
/** Of a table, one after another, that are overwritten. */
const PLACES = 12

let source: SnapshotSource

async function waiting(path: string): Promise<void> {
  const { chain, manifest, snapshots } = source
  const readChunk = (chunk: number) => snapshots.readChunk(HEIGHT, chunk)
  await importSnapshot({ genesis: chain.genesis, manifest, path, readChunk })
}

/** Settles it. @returns the lines that say what was dropped */
async function settle(path: string, height?: number, hash?: Uint8Array, genesis = source.chain.genesis) {
  const lines: string[] = []
  const checkpoint =
    height === undefined ? undefined : { height, hash: hash ?? (source.chain.blocks[height - 1]?.hash as Uint8Array) }
  await settleImport(path, genesis, { checkpoint, report: (line) => lines.push(line) })
  return { lines, left: readdirSync(dirname(path)).sort() }
}

const open = (path: string) => Ledger.open({ path, genesis: source.chain.genesis, log: silentLog })

test('an import that is of the checkpoint is carried on', async () => {
  source = await snapshotSource(HEIGHT)
  for (const height of [undefined, 7, HEIGHT]) {
    const path = join(tempDir(), 'chain')
    await waiting(path)
    expect(await settle(path, height)).toEqual({ lines: [], left: ['chain'] })
    const ledger = await open(path)
    expect(ledger.tip.height).toBe(HEIGHT)
    await ledger.close()
  }
})

test('one of another checkpoint, of another chain, or damaged is dropped with its reason, and blocks nobody', async () => {
  source = await snapshotSource(HEIGHT)
  const other = new ChainMaker({ ...source.chain.maker.spec, seed: 77 }).genesis
  const hash = new Uint8Array(32).fill(9)
  const has = `${HEIGHT}:${toHex(source.chain.blocks[HEIGHT - 1]?.hash as Uint8Array)}`
  const cases: [() => ReturnType<typeof settle>, string][] = [
    [() => settle(path, HEIGHT, hash), `it has ${has}, and the checkpoint is ${HEIGHT}:${toHex(hash)}`],
    [() => settle(path, HEIGHT + 1), `it ends at block ${HEIGHT}, and the checkpoint is ${HEIGHT + 1}:`],
    [() => settle(path, undefined, undefined, other), 'is of genesis'],
    [
      () => {
        rmSync(join(`${path}.new`, 'CURRENT'))
        return settle(path)
      },
      'it is not whole'
    ]
  ]
  let path = ''
  for (const [settled, why] of cases) {
    path = join(tempDir(), 'chain')
    await waiting(path)
    const { lines, left } = await settled()
    expect(lines).toEqual([expect.stringContaining(`the import in ${path}.new is dropped: `)])
    expect(lines[0]).toContain(why)
    expect(left).toEqual([])
  }
})

/** A database with three blocks and an event that was accepted. @returns the event's id */
async function withEvent(path: string): Promise<string> {
  const { blocks, maker } = source.chain
  const old = await open(path)
  await applyAll(old, blocks.slice(0, 3))
  const event = maker.event()
  await old.saveMempool([event])
  await old.close()
  return toHex(event.id)
}

/** Height and waiting events of what is there. */
async function contentOf(path: string): Promise<[number, string[]]> {
  const ledger = await open(path)
  onTestFinished(() => ledger.close())
  return [ledger.tip.height, (await ledger.loadMempool()).map(({ id }) => toHex(id))]
}

test('one that is damaged anywhere does not take the place of a chain that is whole', async () => {
  source = await snapshotSource(HEIGHT)
  const { genesis } = source.chain
  const random = new Random(Number(process.env.MOLOCH_SEED ?? 1))
  const made = join(tempDir(), 'chain')
  const event = await withEvent(made)
  await waiting(made)
  // Opened again, its rows are in a table.
  await (await Database.open(`${made}.new`, { genesisHash: genesis.hash, create: false })).close()
  const outcomes = new Set<string>()
  for (let place = 0; place < PLACES; place++) {
    const path = join(tempDir(), 'chain')
    await cp(dirname(made), dirname(path), { recursive: true })
    const [table] = readdirSync(`${path}.new`).filter((name) => name.endsWith('.ldb'))
    const file = join(`${path}.new`, table as string)
    const damaged = readFileSync(file)
    const at = Math.floor((place * damaged.length) / PLACES)
    damaged.set(random.bytes(Math.min(200, damaged.length - at)), at)
    writeFileSync(file, damaged)
    const { lines, left } = await settle(path, HEIGHT)
    expect(left).toEqual(['chain'])
    const dropped = lines.some((line) => line.startsWith(`the import in ${path}.new is dropped: `))
    expect(await contentOf(path)).toEqual([dropped ? 3 : HEIGHT, [event]])
    outcomes.add(dropped ? 'dropped' : 'switched')
  }
  expect([...outcomes].sort()).toEqual(['dropped', 'switched'])
})

test('while the switch is not finished the old chain is the chain, whatever was made in its place', async () => {
  source = await snapshotSource(HEIGHT)
  const path = join(tempDir(), 'chain')
  const event = await withEvent(path)
  await waiting(path)
  // As a crash between the two renames leaves it, and then somebody makes a database.
  renameSync(path, `${path}.old`)
  await (await open(path)).close()
  expect((await settle(path, HEIGHT + 1)).left).toEqual(['chain'])
  expect(await contentOf(path)).toEqual([3, [event]])
})

test('what is left of the old chain after a switch does not come back with the next import', async () => {
  source = await snapshotSource(HEIGHT)
  const path = join(tempDir(), 'chain')
  const event = await withEvent(path)
  // As a crash in the middle of its removal leaves it.
  await cp(path, `${path}.old`, { recursive: true })
  rmSync(join(`${path}.old`, 'CURRENT'))
  await waiting(path)
  expect(existsSync(`${path}.old`)).toBe(false)
  expect((await settle(path, HEIGHT)).left).toEqual(['chain'])
  expect(await contentOf(path)).toEqual([HEIGHT, [event]])
})

test('what this node accepted outlives an import that is dropped in the middle of the switch', async () => {
  source = await snapshotSource(HEIGHT)
  const path = join(tempDir(), 'chain')
  const event = await withEvent(path)
  const kept = join(tempDir(), 'old')
  await cp(path, kept, { recursive: true })
  await waiting(path)
  // As a crash between the two renames leaves it: the own rows have been taken over.
  await switchDatabase(path, source.chain.genesis)
  renameSync(path, `${path}.new`)
  await cp(kept, `${path}.old`, { recursive: true })
  expect((await settle(path, HEIGHT + 1)).left).toEqual(['chain'])
  expect(await contentOf(path)).toEqual([3, [event]])
})

/** A chain of two blocks that is another one than the source's. */
async function withFork(path: string): Promise<void> {
  const fork = await open(path)
  const maker = new ChainMaker(source.chain.maker.spec)
  await applyAll(fork, [maker.next([]), maker.next([])])
  await fork.close()
}

test('called off while blocks are carried over it says so, and goes on the next time', async () => {
  source = await snapshotSource(HEIGHT)
  const path = join(tempDir(), 'chain')
  await withEvent(path)
  await waiting(path)
  const aborted = settleImport(path, source.chain.genesis, { checkpoint: undefined, signal: AbortSignal.abort() })
  await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
  expect(await settle(path)).toMatchObject({ left: ['chain'] })
  expect((await contentOf(path))[0]).toBe(HEIGHT)
})

test('one that contradicts the chain that is here is told of, also if the node is stopped meanwhile', async () => {
  source = await snapshotSource(HEIGHT)
  const path = join(tempDir(), 'chain')
  await withFork(path)
  await waiting(path)
  const aborted = settleImport(path, source.chain.genesis, { checkpoint: undefined, signal: AbortSignal.abort() })
  await expect(aborted).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
})

test('one that contradicts the chain that is here stops one start, and not the next', async () => {
  source = await snapshotSource(HEIGHT)
  const path = join(tempDir(), 'chain')
  await withFork(path)
  await waiting(path)
  await expect(settle(path)).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
  expect(await settle(path)).toEqual({ lines: [], left: ['chain'] })
  const ledger = await open(path)
  expect(ledger.tip.height).toBe(2)
  await ledger.close()
})
