import { readdirSync, renameSync, rmSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { importSnapshot } from '../../src/ledger/import-snapshot.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { settleImport } from '../../src/ledger/settle-import.ts'
import { switchDatabase } from '../../src/ledger/switch-database.ts'
import { silentLog } from '../../src/log.ts'
import { applyAll } from '../support/chain-builder.ts'
import { ChainMaker } from '../support/chain-maker.ts'
import { tempDir } from '../support/temp-dir.ts'
import { type SnapshotSource, snapshotSource } from './support/snapshot-source.ts'

const HEIGHT = 20

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

test('what this node accepted outlives an import that is dropped in the middle of the switch', async () => {
  source = await snapshotSource(HEIGHT)
  const { blocks, genesis, maker } = source.chain
  const path = join(tempDir(), 'chain')
  const old = await open(path)
  await applyAll(old, blocks.slice(0, 3))
  const event = maker.event()
  await old.saveMempool([event])
  await old.close()
  const kept = join(tempDir(), 'old')
  await cp(path, kept, { recursive: true })
  await waiting(path)
  // As a crash between the two renames leaves it: the own rows have been taken over.
  await switchDatabase(path, genesis)
  renameSync(path, `${path}.new`)
  await cp(kept, `${path}.old`, { recursive: true })
  expect((await settle(path, HEIGHT + 1)).left).toEqual(['chain'])
  const ledger = await open(path)
  onTestFinished(() => ledger.close())
  expect(ledger.tip.height).toBe(3)
  expect((await ledger.loadMempool()).map(({ id }) => toHex(id))).toEqual([toHex(event.id)])
})

test('one that contradicts the chain that is here stops one start, and not the next', async () => {
  source = await snapshotSource(HEIGHT)
  const path = join(tempDir(), 'chain')
  const fork = await open(path)
  const maker = new ChainMaker(source.chain.maker.spec)
  await applyAll(fork, [maker.next([]), maker.next([])])
  await fork.close()
  await waiting(path)
  await expect(settle(path)).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
  expect(await settle(path)).toEqual({ lines: [], left: ['chain'] })
  const ledger = await open(path)
  expect(ledger.tip.height).toBe(2)
  await ledger.close()
})
