import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hashEvents } from '../../src/chain/event-hashes.ts'
import { HASH_BYTES } from '../../src/chain/merkle.ts'
import { type FoldedBlock, STATE_INDEXES, StateIndexes } from '../../src/chain/state.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { joinBlock } from '../../src/codec/raw.ts'
import { hasCode } from '../../src/error.ts'
import { StateTries } from '../../src/ledger/state.ts'
import { stateFault } from '../../src/ledger/verify/verify-state.ts'
import { Database } from '../../src/store/database.ts'
import { bytesKey, TABLE } from '../../src/store/keys.ts'
import { StateStore } from '../../src/store/state-store.ts'
import { ChainMaker } from '../support/chain-maker.ts'
import { runs } from '../support/runs.ts'
import { tempDir } from '../support/temp-dir.ts'

const maker = new ChainMaker({ actors: 20, resources: 300, actions: 3 })
const { genesis } = maker
const VALIDATORS_HASH = genesis.validators.hash
const EVENTS = Array.from({ length: 400 }, () => maker.event().bytes)

function blockOf(events: readonly Uint8Array[]): FoldedBlock {
  return { ...hashEvents(events), blockBytes: joinBlock(new Uint8Array(1), new Uint8Array(0), events) as never }
}

async function openState(eventTotal = 0, path = tempDir()) {
  const database = await Database.open(path, { genesisHash: genesis.hash, create: true })
  const store = new StateStore(database)
  return { path, database, store, state: await StateTries.open(database, store, eventTotal) }
}

async function flush({ database, state }: Awaited<ReturnType<typeof openState>>): Promise<void> {
  const batch = database.batch()
  await state.flush(batch)
  await database.write(batch)
  state.written()
}

const blocks = fc.array(
  fc.record({
    events: fc.subarray(EVENTS, { maxLength: 60 }),
    next: fc.constantFrom('nothing', 'nothing', 'get', 'settle', 'root', 'flush', 'crash')
  }),
  { maxLength: 16 }
)

async function expectValues(state: StateTries, model: StateIndexes): Promise<void> {
  const { keyHashes } = hashEvents(EVENTS)
  for (let at = 0; at < keyHashes.byteLength; at += 16 * HASH_BYTES) {
    const keyHash = keyHashes.slice(at, at + HASH_BYTES)
    for (const index of STATE_INDEXES) expect(await state.get(index, keyHash)).toEqual(model.get(index, keyHash))
  }
}

test('is the state in memory after any blocks, reads, writes and crashes, and on disk when it was written', async () => {
  await fc.assert(
    fc.asyncProperty(blocks, async (list) => {
      const model = new StateIndexes()
      let world = await openState()
      let unwritten: FoldedBlock[] = []
      let written = 0
      for (const { events, next } of list) {
        const block = blockOf(events)
        await world.state.fold(block)
        model.fold(block)
        unwritten.push(block)
        expect(world.state.eventTotal).toBe(model.eventTotal)
        if (next === 'get') await expectValues(world.state, model)
        // What it begins the next steps find under way.
        if (next === 'settle') world.state.settle()
        if (next === 'root') {
          expect(toHex(await world.state.root(VALIDATORS_HASH))).toBe(toHex(model.root(VALIDATORS_HASH)))
        }
        if (next === 'flush') {
          await flush(world)
          expect(await stateFault(world.store, model)).toBeUndefined()
          unwritten = []
          written = model.eventTotal
        }
        if (next !== 'flush' && next !== 'crash') continue
        await world.database.close()
        world = await openState(written, world.path)
        for (const block of unwritten) await world.state.fold(block)
      }
      expect(toHex(await world.state.root(VALIDATORS_HASH))).toBe(toHex(model.root(VALIDATORS_HASH)))
      await expectValues(world.state, model)
      await flush(world)
      expect(await stateFault(world.store, model)).toBeUndefined()
      await world.database.close()
    }),
    runs(20)
  )
})

test('blocks are folded in the background, and whoever reads meanwhile sees all of them', async () => {
  const world = await openState()
  const model = new StateIndexes()
  const list = [0, 100, 200, 300].map((from) => blockOf(EVENTS.slice(from, from + 100)))
  for (const block of list) {
    model.fold(block)
    await world.state.fold(block)
    expect(world.state.changed).toBe(0)
  }
  expect(world.state.settle()).toBe(false)
  const more = blockOf(EVENTS.slice(0, 50))
  model.fold(more)
  await world.state.fold(more)
  await expectValues(world.state, model)
  while (!world.state.settle()) await nextTurn()
  expect(world.state.changed).toBeGreaterThan(50)
  expect(toHex(await world.state.root(VALIDATORS_HASH))).toBe(toHex(model.root(VALIDATORS_HASH)))
  await world.database.close()
})

test('a long run of large blocks is not collected without end', async () => {
  const world = await openState()
  const block = blockOf(EVENTS)
  const bytes = block.blockBytes.byteLength + block.keyHashes.byteLength + block.eventIds.byteLength
  let blocks = 0
  while (world.state.changed === 0) {
    await world.state.fold(block)
    blocks++
  }
  expect(blocks * bytes).toBeGreaterThan(4 << 20)
  expect(blocks * bytes).toBeLessThan(16 << 20)
  await world.database.close()
})

test('values are there while buckets are split and written', async () => {
  const world = await openState()
  const first = blockOf(EVENTS.slice(0, 200))
  await world.state.fold(first)
  await flush(world)
  await world.database.close()
  const again = await openState(200, world.path)
  const reads = Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      again.state.get(1, first.keyHashes.slice((3 * i + 1) * HASH_BYTES, (3 * i + 2) * HASH_BYTES))
    )
  )
  await again.state.fold(blockOf(EVENTS.slice(200)))
  await flush(again)
  expect((await reads).every((entry) => (entry?.count ?? 0) > 0)).toBe(true)
  await again.database.close()
})

test('a row that is missing is a damaged database', async () => {
  const world = await openState()
  const block = blockOf(EVENTS.slice(0, 3))
  await world.state.fold(block)
  await flush(world)
  await world.database.close()
  const again = await openState(3, world.path)
  const batch = again.database.batch()
  batch.del(bytesKey(TABLE.STATE, Uint8Array.of(2, 0)))
  await again.database.write(batch)
  const isCorrupt = async (call: Promise<unknown>): Promise<void> => {
    expect(hasCode(await call.catch((error: unknown) => error), 'STORE_CORRUPT')).toBe(true)
  }
  await isCorrupt(again.state.get(2, block.keyHashes.slice(64, 96)))
  await again.state.fold(block)
  while (!again.state.settle()) await nextTurn()
  await isCorrupt(again.state.root(VALIDATORS_HASH))
  await isCorrupt(again.state.flush(again.database.batch()))
  await isCorrupt(again.state.fold(block))
  await again.database.close()
})

test('raw keys are written once', async () => {
  const world = await openState()
  await world.state.fold(blockOf(EVENTS.slice(0, 100)))
  await flush(world)
  await world.state.fold(blockOf(EVENTS.slice(0, 100)))
  const batch = world.database.batch()
  await world.state.flush(batch)
  let buckets = 0
  for await (const _ of world.store.allBuckets()) buckets++
  expect(batch.operations).toBe(buckets)
  await world.database.write(batch)
  const keys: string[] = []
  for await (const { index, key } of world.store.allKeys(2)) keys.push(`${index} ${Buffer.from(key)}`)
  expect(keys.sort()).toEqual(['2 action-0', '2 action-1', '2 action-2'])
  await world.database.close()
})
