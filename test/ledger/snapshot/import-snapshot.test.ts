import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { toHex } from '../../../src/codec/bytes.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { importSnapshot } from '../../../src/ledger/snapshot/import-snapshot.ts'
import { switchDatabase } from '../../../src/ledger/snapshot/switch-database.ts'
import { silentLog } from '../../../src/log.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { ChainMaker, chainInMemory } from '../../support/chain-maker.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { chainRows, type SnapshotSource, snapshotSource } from '../support/snapshot-source.ts'

const HEIGHT = 30

function imported({ chain, snapshots, manifest }: SnapshotSource, path: string, signal?: AbortSignal): Promise<void> {
  const readChunk = (number: number) => snapshots.readChunk(manifest.height, number)
  return importSnapshot({ genesis: chain.genesis, manifest, readChunk, path, signal })
}

async function opened(path: string, { chain }: SnapshotSource): Promise<Ledger> {
  const ledger = await Ledger.open({ path, genesis: chain.genesis, log: silentLog, tuning: { stateWork: 20 } })
  onTestFinished(() => ledger.close())
  return ledger
}

const folders = (path: string) => readdirSync(dirname(path)).sort()

test('the imported database is that of a node that synced from genesis, and goes on like it', async () => {
  const source = await snapshotSource(HEIGHT)
  const { chain, manifest } = source
  const { genesis, blocks } = chain
  const path = join(tempDir(), 'chain')
  await imported(source, path)
  expect(await switchDatabase(path, genesis)).toEqual({ switched: true, height: HEIGHT })
  expect(folders(path)).toEqual(['chain'])
  await source.ledger.close()
  expect(await chainRows(path, genesis, HEIGHT)).toEqual(await chainRows(source.path, genesis, HEIGHT))

  const warped = await opened(path, source)
  expect(warped.tip.height).toBe(HEIGHT)
  expect(toHex(warped.tip.mmrRoot)).toBe(toHex(manifest.header.claimedRoot))
  const synced = await opened(source.path, source)
  for (const ledger of [warped, synced]) await applyAll(ledger, blocks.slice(HEIGHT))
  expect(warped.tip).toEqual(synced.tip)
  expect(warped.next).toEqual(synced.next)
  expect(warped.eventTotal).toBe(synced.eventTotal)
  await Promise.all([warped.close(), synced.close()])
  expect(await chainRows(path, genesis, HEIGHT)).toEqual(await chainRows(source.path, genesis, HEIGHT))
})

test('indexes of many chunks are imported as they are', async () => {
  const maker = new ChainMaker({
    resources: 9000,
    validators: 1,
    actors: 2,
    params: { snapshotInterval: 2, maxBlockBytes: 2 << 20 }
  })
  const blocks = [maker.next(maker.events(4500)), maker.next(maker.events(4500)), maker.next([]), maker.next([])]
  const chain = { ...chainInMemory(0), maker, genesis: maker.genesis, blocks }
  const source = await snapshotSource(4, chain, 5000)
  expect(source.manifest.chunks.length).toBeGreaterThan(4)
  const path = join(tempDir(), 'chain')
  const said: string[] = []
  const { manifest, snapshots } = source
  const readChunk = (chunk: number) => {
    said.push(`read ${chunk}`)
    return snapshots.readChunk(4, chunk)
  }
  const onProgress = (done: number) => said.push(`done ${done}`)
  await importSnapshot({ genesis: maker.genesis, manifest, readChunk, path, onProgress })
  expect(said).toEqual(manifest.chunks.flatMap((_, chunk) => [`read ${chunk}`, `done ${chunk + 1}`]))
  await switchDatabase(path, maker.genesis)
  await source.ledger.close()
  expect(await chainRows(path, maker.genesis, 4)).toEqual(await chainRows(source.path, maker.genesis, 4))
})

test('below the snapshot nothing is held, and whoever asks is told', async () => {
  const source = await snapshotSource(HEIGHT)
  const { blocks } = source.chain
  const path = join(tempDir(), 'chain')
  await imported(source, path)
  await switchDatabase(path, source.chain.genesis)
  const ledger = await opened(path, source)
  await applyAll(ledger, blocks.slice(HEIGHT, HEIGHT + 2))
  expect(ledger.earliestHeight).toBe(HEIGHT)
  expect(await ledger.blockAt(HEIGHT - 1)).toBeUndefined()
  expect(await ledger.headerAt(1)).toBeUndefined()
  expect(await ledger.commitAt(HEIGHT - 1)).toBeUndefined()
  expect((await ledger.blockAt(HEIGHT))?.hash).toEqual(blocks[HEIGHT - 1]?.hash)
  expect((await ledger.blockAt(0))?.hash).toEqual(blocks[0]?.header.parentHash)
  const all = async (rows: AsyncIterable<Uint8Array>) => {
    let count = 0
    for await (const _ of rows) count++
    return count
  }
  expect(await all(ledger.readRange(HEIGHT - 1, 10, 1 << 20))).toBe(0)
  expect(await all(ledger.readRange(HEIGHT, 10, 1 << 20))).toBe(3)
  expect(await all(ledger.readHeaders(HEIGHT - 1, 10))).toBe(0)
  expect(await all(ledger.readHeaders(HEIGHT, 10))).toBe(3)
  const old = blocks[4]?.eventIds.slice(0, 32) as Uint8Array<ArrayBuffer>
  expect(await ledger.event(old)).toBeUndefined()
  const prove = (request: Parameters<Ledger['prove']>[0]) => expect(ledger.prove(request)).rejects
  await prove({ event: { eventId: old, anchorHeight: 0 } }).toMatchObject({ code: 'UNAVAILABLE' })
  await prove({ header: { height: 5, anchorHeight: 0 } }).toMatchObject({ code: 'UNAVAILABLE' })
  expect(await ledger.prove({ consistency: { from: 3, to: HEIGHT + 1 } })).toHaveProperty('consistency')
  await expect(ledger.events({}, undefined, 1000)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  const held = await ledger.events({ from: HEIGHT }, undefined, 1000)
  expect(held.events.map(({ height }) => height)).toEqual(
    [HEIGHT, HEIGHT + 1, HEIGHT + 2].flatMap((h) => Array(6).fill(h))
  )
})

test('another certified block in history that is not held is still proof of abused keys', async () => {
  const source = await snapshotSource(HEIGHT)
  const path = join(tempDir(), 'chain')
  await imported(source, path)
  await switchDatabase(path, source.chain.genesis)
  const ledger = await opened(path, source)
  const fork = new ChainMaker(source.chain.maker.spec)
  for (let height = 1; height < 7; height++) fork.next()
  const rival = fork.certify(fork.propose([]))
  await expect(ledger.apply([rival])).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
  expect(ledger.conflict).toMatchObject({ height: 7 })
  expect(ledger.conflict?.description).toMatch(
    `block 7 ${toHex(rival.hash)} is certified and not in the chain of block 30`
  )
  expect(ledger.conflict?.validators).toHaveLength(3)
})

test('the window is held when blocks of two windows are', async () => {
  const params = { snapshotInterval: 5, eventWindowMs: 4000 }
  const chain = chainInMemory(HEIGHT + 12, { eventsPerBlock: 2, params })
  const source = await snapshotSource(HEIGHT, chain)
  expect(source.ledger.holdsWindow).toBe(true)
  const path = join(tempDir(), 'chain')
  await imported(source, path)
  await switchDatabase(path, chain.genesis)
  let ledger = await opened(path, source)
  // A block a second: the eighth after the snapshot is two windows later.
  for (let height = HEIGHT; height < HEIGHT + 12; height++) {
    expect(ledger.holdsWindow, `${height}`).toBe(height >= HEIGHT + 8)
    await applyAll(ledger, chain.blocks.slice(height, height + 1))
    if (height !== HEIGHT + 9) continue
    await ledger.close()
    ledger = await opened(path, source)
  }
})

test('a damaged chunk is named, and an import that was called off leaves nothing that counts', async () => {
  const source = await snapshotSource(HEIGHT)
  const { chain, manifest, snapshots } = source
  const path = join(tempDir(), 'chain')
  const damaged = importSnapshot({
    genesis: chain.genesis,
    manifest,
    path,
    readChunk: async (number) => (number === 2 ? new Uint8Array(5) : snapshots.readChunk(HEIGHT, number))
  })
  await expect(damaged).rejects.toMatchObject({ code: 'CHUNK_DAMAGED', details: { chunk: 2 } })
  await expect(imported(source, path, AbortSignal.abort())).rejects.toThrow()
  expect(folders(path)).toEqual(['chain.staged'])
  expect(await switchDatabase(path, chain.genesis)).toEqual({ switched: false })
  expect(folders(path)).toEqual([])
})

test('wherever the switch is cut off, the old database is there or the whole new one, with what is this node’s own', async () => {
  const source = await snapshotSource(HEIGHT)
  const { chain } = source
  const { genesis, blocks, maker } = chain
  const base = tempDir()
  // A node that synced 3 blocks, accepted an event and saw a fault.
  const old = await opened(join(base, 'chain'), source)
  await applyAll(old, blocks.slice(0, 3))
  const event = maker.event()
  await old.saveMempool([event])
  const evidence = { kind: 'votes', height: 2, seenAt: 1, validators: [], description: 'twice', parts: [] }
  await old.saveEvidence(evidence, 'slot')
  await old.close()
  await imported(source, join(base, 'chain'))
  expect(folders(join(base, 'chain'))).toEqual(['chain', 'chain.new'])

  const moments: ((path: string) => void)[] = [
    () => {},
    // Before the commit: the old one stays.
    (path) => renameSync(`${path}.new`, `${path}.staged`),
    (path) => renameSync(path, `${path}.old`),
    (path) => {
      renameSync(path, `${path}.old`)
      renameSync(`${path}.new`, path)
    }
  ]
  for (const [index, crash] of moments.entries()) {
    const home = join(tempDir(), 'data')
    await cp(base, home, { recursive: true })
    const path = join(home, 'chain')
    if (index >= 2) {
      // The own rows were taken over before the first rename.
      await switchDatabase(path, genesis)
      renameSync(path, `${path}.new`)
      await cp(join(base, 'chain'), path, { recursive: true })
    }
    crash(path)
    await switchDatabase(path, genesis)
    expect(folders(path), `moment ${index}`).toEqual(['chain'])
    const ledger = await opened(path, source)
    expect(ledger.tip.height).toBe(index === 1 ? 3 : HEIGHT)
    expect((await ledger.loadMempool()).map(({ id }) => toHex(id))).toEqual([toHex(event.id)])
    expect(await ledger.evidence()).toMatchObject([evidence])
    await ledger.close()
    expect(await switchDatabase(path, genesis)).toEqual({ switched: false })
  }
})

test('a chain that is higher stays, and one that is another is no place for it', async () => {
  const source = await snapshotSource(HEIGHT)
  const { genesis, blocks } = source.chain
  const path = join(tempDir(), 'chain')
  const ahead = await opened(path, source)
  await applyAll(ahead, blocks.slice(0, HEIGHT))
  await ahead.close()
  await imported(source, path)
  expect(await switchDatabase(path, genesis)).toEqual({ switched: false })
  expect(folders(path)).toEqual(['chain'])

  const fork = join(tempDir(), 'chain')
  const other = await opened(fork, source)
  const maker = new ChainMaker(source.chain.maker.spec)
  await applyAll(other, [maker.next([]), maker.next([])])
  await other.close()
  await imported(source, fork)
  await expect(switchDatabase(fork, genesis)).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
  expect(existsSync(fork)).toBe(true)

  const empty = join(tempDir(), 'chain')
  mkdirSync(empty)
  writeFileSync(join(empty, 'LOG'), '')
  await imported(source, empty)
  expect(await switchDatabase(empty, genesis)).toMatchObject({ switched: true })
})
