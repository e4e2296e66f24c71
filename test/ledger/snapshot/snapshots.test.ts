import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { indexKeysOf, signEvent } from '../../../src/chain/event.ts'
import { checkChunk } from '../../../src/chain/snapshot-chunks.ts'
import { type CheckedManifest, checkManifest } from '../../../src/chain/snapshot-manifest.ts'
import { STATE_INDEXES } from '../../../src/chain/state.ts'
import { verifyKey } from '../../../src/chain/trie-proof.ts'
import { toHex, utf8 } from '../../../src/codec/bytes.ts'
import { Outcome } from '../../../src/codec/generated/event.ts'
import { splitBlock } from '../../../src/codec/raw.ts'
import { sha256 } from '../../../src/crypto/sha256.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import type { Snapshots } from '../../../src/ledger/snapshot/snapshots.ts'
import { ModelChain } from '../../../src/ledger/verify/model-chain.ts'
import { type Log, silentLog } from '../../../src/log.ts'
import { LogBook } from '../../network/support/nodes.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { ChainMaker, chainInMemory } from '../../support/chain-maker.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/until.ts'

const SPEC = { eventsPerBlock: 6, actors: 3, resources: 40, params: { snapshotInterval: 5 } }

async function open(genesis: ChainMaker['genesis'], path = tempDir(), { keep = 2, log = silentLog as Log } = {}) {
  const folder = join(path, 'snapshots')
  // Four times as much would be written between snapshot heights as well.
  const tuning = { stateWork: 20 }
  const options = { path: join(path, 'chain'), genesis, log, tuning, snapshots: { folder, keep } }
  const ledger = await Ledger.open(options)
  onTestFinished(() => ledger.close())
  return { ledger, snapshots: ledger.snapshots as Snapshots, folder, path }
}

async function manifestOf({ ledger, snapshots }: Awaited<ReturnType<typeof open>>, height: number) {
  const bytes = (await snapshots.readManifest(height)) as Uint8Array
  const hash = (await ledger.headerAt(height))?.hash as Uint8Array
  const result = checkManifest(ledger.genesis, bytes, { height, hash })
  if (!result.ok) throw new Error(`${result.failure.code}: ${result.failure.message}`)
  return result.manifest
}

/** Every chunk is right by itself, and together they are the state of the model at block H − 1. */
async function expectWhole(world: Awaited<ReturnType<typeof open>>, manifest: CheckedManifest, model: ModelChain) {
  const { genesis } = world.ledger
  const { height, chunks, tops } = manifest
  const hashes: string[] = []
  const counts = tops.map((items) => items.filter(({ key }) => key.byteLength > 0).length)
  for (let i = 0; i < chunks.length; i++) {
    const data = (await world.snapshots.readChunk(height, i)) as Uint8Array
    const result = checkChunk(genesis, chunks, i, data)
    if (!result.ok) throw new Error(`${i}: ${result.failure.code}: ${result.failure.message}`)
    const { content } = result
    if (content.kind === 'hashes') {
      const { range } = content
      for (let at = 0; at < range.count; at++) hashes.push(toHex(range.hash(at)))
    }
    if (content.kind === 'block') expect(content.block.height).toBe(height)
    if (content.kind !== 'entries') continue
    counts[content.index] = (counts[content.index] as number) + content.entries.length
    for (const { keyHash, count, head } of content.entries) {
      expect(model.state.get(content.index, keyHash)).toEqual({ count, head: new Uint8Array(head) })
    }
  }
  expect(counts).toEqual(STATE_INDEXES.map((index) => model.state.sizeOf(index)))
  expect(manifest.eventTotal).toBe(model.state.eventTotal)
  expect(hashes).toHaveLength(height)
  for (const [at, hash] of hashes.entries()) {
    expect(hash).toBe(toHex((await world.ledger.headerAt(at))?.hash as Uint8Array))
  }
  expect(await world.snapshots.readChunk(height, chunks.length)).toBeUndefined()
}

test('a snapshot is the state before its height, checked chunk by chunk, and commits go on while it is built', async () => {
  const { genesis, blocks, maker } = chainInMemory(22, SPEC)
  const world = await open(genesis)
  const model = new ModelChain(genesis)
  await applyAll(world.ledger, blocks.slice(0, 21))
  for (const block of blocks.slice(0, 19)) model.advance(block)
  const building = world.snapshots.build()
  const more = [blocks[21] as (typeof blocks)[0], ...Array.from({ length: 8 }, () => maker.next())]
  await applyAll(world.ledger, more)
  expect(await building).toBe(20)
  expect(world.snapshots.heights).toEqual([20])
  await expectWhole(world, await manifestOf(world, 20), model)
  // The state on disk is that of block 29 now.
  for (const block of [...blocks.slice(19), ...more.slice(1, 8)]) model.advance(block)
  expect(model.tip.height).toBe(29)
  expect(await world.snapshots.build()).toBe(30)
  await expectWhole(world, await manifestOf(world, 30), model)
})

test('indexes of many chunks are built as well, and prove every key and the absence of others', async () => {
  const maker = new ChainMaker({ ...SPEC, validators: 1, params: { snapshotInterval: 2, maxBlockBytes: 2 << 20 } })
  const actor = maker.actors[0] as (typeof maker.actors)[0]
  const world = await open(maker.genesis)
  const model = new ModelChain(maker.genesis)
  const timestamp = maker.nextTimestamp
  const events = Array.from({ length: 1500 }, (_, i) =>
    signEvent(maker.genesis.hash, actor, {
      timestamp,
      action: 'write',
      resource: { kind: 'document', id: `${i}`.padEnd(500, '-') },
      outcome: Outcome.SUCCESS,
      metadata: []
    })
  )
  const first = maker.next(events)
  model.advance(first)
  await applyAll(world.ledger, [first, maker.next([]), maker.next([])])
  expect(await world.snapshots.build()).toBe(2)
  const manifest = await manifestOf(world, 2)
  expect(manifest.chunks.length).toBeGreaterThan(5)
  await expectWhole(world, manifest, model)

  const header = (await world.ledger.headerAt(2))?.header as NonNullable<typeof manifest>['header']['header']
  const keys = splitBlock(first.blockBytes)
    .events.filter((_, i) => i % 100 === 0)
    .flatMap((bytes) => {
      const [actorKey, resource, action] = indexKeysOf(bytes)
      return [
        [0, actorKey, 1500],
        [1, resource, 1],
        [2, action, 1500]
      ] as const
    })
  for (const [index, key, count] of keys) {
    const proof = await world.snapshots.keyProof(0, index, key)
    expect(proof && verifyKey(header, sha256(key), proof)).toMatchObject({ count })
    const absent = utf8(`no such key ${toHex(key).slice(0, 8)}`)
    const none = await world.snapshots.keyProof(2, index, absent)
    expect(none && verifyKey(header, sha256(absent), none)).toBeNull()
  }
  expect(await world.snapshots.keyProof(4, 0, new Uint8Array(32))).toBeUndefined()
})

test('the manifest proves any block below to who trusts that', async () => {
  const { genesis, blocks } = chainInMemory(16, SPEC)
  const world = await open(genesis)
  await applyAll(world.ledger, blocks)
  expect(await world.snapshots.build()).toBe(15)
  for (let height = 0; height <= 15; height++) {
    const bytes = (await world.snapshots.readManifest(0, height)) as Uint8Array
    const hash = (await world.ledger.headerAt(height))?.hash as Uint8Array
    expect(checkManifest(genesis, bytes, { height, hash }).ok, `block ${height}`).toBe(true)
  }
  for (const wrong of [16, -1, 0.5]) expect(await world.snapshots.readManifest(15, wrong)).toBeUndefined()
  expect(await world.snapshots.readManifest(10)).toBeUndefined()
})

test('the newest few are kept, also when opened again; what is not whole is removed', async () => {
  const { genesis, blocks } = chainInMemory(27, SPEC)
  const first = await open(genesis)
  expect(await first.snapshots.build()).toBeUndefined()
  expect(await first.snapshots.readManifest(0)).toBeUndefined()
  for (const height of [6, 11, 16, 21, 27]) {
    await applyAll(first.ledger, blocks.slice(first.ledger.tip.height, height))
    await first.snapshots.build()
  }
  expect(first.snapshots.heights).toEqual([25, 20])
  expect(readdirSync(first.folder).sort()).toEqual(['20.snapshot', '25.snapshot'])
  expect(await first.snapshots.build()).toBe(25)
  await first.ledger.close()

  const torn = readFileSync(join(first.folder, '20.snapshot'))
  writeFileSync(join(first.folder, '20.snapshot'), torn.subarray(0, -1))
  writeFileSync(join(first.folder, '30.snapshot.part'), torn)
  copyFileSync(join(first.folder, '25.snapshot'), join(first.folder, '15.snapshot'))
  writeFileSync(join(first.folder, 'notes.txt'), 'mine')
  const again = await open(genesis, first.path)
  expect(again.snapshots.heights).toEqual([25])
  expect(readdirSync(first.folder).sort()).toEqual(['25.snapshot', 'notes.txt'])
  expect(await again.snapshots.readChunk(25, 0)).toBeDefined()
  await again.ledger.close()

  // Of another chain with the same heights.
  const other = chainInMemory(1, { ...SPEC, seed: 2 })
  const theirs = await open(other.genesis)
  await theirs.ledger.close()
  renameSync(join(first.folder, '25.snapshot'), join(theirs.folder, '25.snapshot'))
  const stranger = await open(other.genesis, theirs.path)
  expect(stranger.snapshots.heights).toEqual([])
})

test('a file that is damaged while it is held serves nobody any more', async () => {
  const { genesis, blocks } = chainInMemory(6, SPEC)
  const world = await open(genesis)
  await applyAll(world.ledger, blocks)
  await world.snapshots.build()
  const path = join(world.folder, '5.snapshot')
  const bytes = readFileSync(path)
  bytes[40] = (bytes[40] as number) ^ 1
  writeFileSync(path, bytes)
  expect(await world.snapshots.readChunk(5, 0)).toBeUndefined()
  expect(world.snapshots.heights).toEqual([])
  expect(await world.snapshots.build()).toBe(5)
  expect(await world.snapshots.readChunk(5, 0)).toBeDefined()
})

/** With the snapshot of block 5 in the file at `path`. */
async function built() {
  const { genesis, blocks } = chainInMemory(6, SPEC)
  const log = new LogBook()
  const world = await open(genesis, tempDir(), { log })
  await applyAll(world.ledger, blocks)
  await world.snapshots.build()
  return { world, genesis, log, path: join(world.folder, '5.snapshot') }
}

const UNREADABLE = [
  ['opened', 'ELOOP', (path: string) => symlinkSync(path, path), unlinkSync],
  ['read', 'EISDIR', (path: string) => mkdirSync(path), rmdirSync]
] as const

test.each(UNREADABLE)('a file that can’t be %s for now is kept, and said once', async (_, cause, block, unblock) => {
  const { world, genesis, log, path } = await built()
  const aside = join(world.path, 'aside')
  renameSync(path, aside)
  block(path)
  for (let asked = 0; asked < 5; asked++) {
    await expect(world.snapshots.readChunk(5, 0)).rejects.toMatchObject({
      code: 'NOT_READY',
      message: "chunk 0 of the snapshot of block 5 can't be read now"
    })
  }
  expect(world.snapshots.heights).toEqual([5])
  const said = log.of('error')
  expect(said).toMatchObject([{ details: { path, chunk: 0, err: { code: 'STORE_FAILED', cause: { code: cause } } } }])
  expect(said[0]?.message).toMatch(`the snapshot ${path} can't be read now: ${cause}: `)
  unblock(path)
  renameSync(aside, path)
  expect(await world.snapshots.readChunk(5, 0)).toBeDefined()
  await world.ledger.close()

  renameSync(path, aside)
  block(path)
  const later = new LogBook()
  const again = await open(genesis, world.path, { log: later })
  expect(again.snapshots.heights).toEqual([])
  expect(readdirSync(world.folder)).toEqual(['5.snapshot'])
  expect(later.of('error', `the snapshot ${path} can't be read now: ${cause}: `)).toHaveLength(1)
  expect(later.of('warn')).toEqual([])
})

test('a file that somebody removed is not offered any more, and built again', async () => {
  const { world, log, path } = await built()
  rmSync(path)
  expect(await world.snapshots.readChunk(5, 0)).toBeUndefined()
  expect(log.of('error')).toMatchObject([{ message: `there is no snapshot ${path}` }])
  expect(world.snapshots.heights).toEqual([])
  expect(await world.snapshots.build()).toBe(5)
  expect(existsSync(path)).toBe(true)
})

test('when no block comes it is built by itself', async () => {
  const { genesis, blocks } = chainInMemory(6, SPEC)
  const world = await open(genesis)
  await applyAll(world.ledger, blocks)
  await waitFor(() => expect(world.snapshots.heights).toEqual([5]))
})

test('a build that the disk does not take is tried again, and not before an hour has passed', async () => {
  const { genesis, blocks } = chainInMemory(6, SPEC)
  const log = new LogBook()
  const world = await open(genesis, tempDir(), { log })
  rmdirSync(world.folder)
  writeFileSync(world.folder, '')
  await applyAll(world.ledger, blocks)
  await waitFor(() => expect(log.of('error', 'no snapshot could be built: ').length).toBe(1))
  unlinkSync(world.folder)
  mkdirSync(world.folder)
  const failedAt = performance.now()
  const clock = vi.spyOn(performance, 'now')
  onTestFinished(() => clock.mockRestore())
  const build = vi.spyOn(world.snapshots, 'build')
  clock.mockReturnValue(failedAt + 3_500_000)
  world.snapshots.idle()
  expect(build).not.toHaveBeenCalled()
  clock.mockReturnValue(failedAt + 3_600_001)
  world.snapshots.idle()
  clock.mockRestore()
  await waitFor(() => expect(world.snapshots.heights).toEqual([5]))
})

test('closed while it is built, it leaves nothing', async () => {
  const { genesis, blocks } = chainInMemory(6, SPEC)
  const world = await open(genesis)
  await applyAll(world.ledger, blocks)
  const building = world.snapshots.build()
  await world.ledger.close()
  await expect(building).rejects.toThrow()
  expect(readdirSync(world.folder)).toEqual([])
})
