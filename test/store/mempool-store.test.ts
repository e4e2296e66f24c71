import { expect, onTestFinished, test } from 'vitest'
import { Database } from '../../src/store/database.ts'
import type { KeptBounds } from '../../src/store/kept-events.ts'
import { type EventFate, MempoolStore, type StoredEvent } from '../../src/store/mempool-store.ts'
import { tempDir } from '../support/temp-dir.ts'

const genesisHash = new Uint8Array(32)

/** An event whose id is its only content. */
function event(n: number): StoredEvent {
  const id = new Uint8Array(32)
  new DataView(id.buffer).setUint32(0, n)
  return { id, bytes: id }
}

const numbers = (events: readonly StoredEvent[]) => events.map(({ id }) => new DataView(id.slice().buffer).getUint32(0))

async function open(path: string, onWrite: (operations: number) => void = () => {}, bounds?: KeptBounds) {
  const database = await Database.open(path, { genesisHash, create: true, beforeWrite: onWrite })
  const mempool = new MempoolStore(database, bounds)
  const loaded = await mempool.load((bytes) => ({ id: bytes, bytes }))
  return { database, mempool, loaded }
}

async function reopened(path: string) {
  const { database, mempool, loaded } = await open(path)
  onTestFinished(() => database.close())
  return { database, mempool, loaded: numbers(loaded) }
}

test('many calls share few writes, and all are on disk', async () => {
  const path = tempDir()
  const writes: number[] = []
  const { database, mempool } = await open(path, (operations) => writes.push(operations))
  writes.length = 0
  const calls = Array.from({ length: 500 }, (_, n) => mempool.save([event(n)]))
  // Some come while the first write is under way.
  await calls[0]
  calls.push(...Array.from({ length: 500 }, (_, n) => mempool.save([event(500 + n)])))
  await Promise.all(calls)
  expect(writes.length).toBeLessThanOrEqual(4)
  expect(writes.reduce((a, b) => a + b)).toBe(1000)
  await database.close()
  expect((await reopened(path)).loaded).toEqual(Array.from({ length: 1000 }, (_, n) => n))
})

test('an event that is known already is not acknowledged before its own write', async () => {
  let written = 0
  const { database, mempool } = await open(tempDir(), (operations) => {
    written += operations
  })
  onTestFinished(() => database.close())
  const before = written
  const first = mempool.save([event(1)])
  const second = mempool.save([event(1)])
  await second
  expect(written - before).toBe(1)
  await first
  await mempool.save([event(1)])
  expect(written - before).toBe(1)
})

test('no acknowledgement before the write, however close calls follow each other', async () => {
  const { database, mempool } = await open(tempDir())
  onTestFinished(() => database.close())
  const write = database.write.bind(database)
  let written = 0
  database.write = async (batch) => {
    const { operations } = batch
    await write(batch)
    written += operations
  }
  for (let offset = 0; offset <= 11; offset++) {
    const before = written
    const first = mempool.save([event(2 * offset)])
    for (let i = 0; i < offset; i++) await Promise.resolve()
    const second = mempool.save([event(2 * offset + 1)])
    await second
    expect(written - before, `offset ${offset}`).toBe(2)
    await first
  }
})

test('no acknowledgement after a write that failed', async () => {
  let fail = false
  const { database, mempool } = await open(tempDir(), () => {
    if (fail) throw new Error('disk full')
  })
  onTestFinished(() => database.close())
  fail = true
  const failed = mempool.save([event(1)])
  await expect(failed).rejects.toThrow('disk full')
  await expect(mempool.save([event(1)])).rejects.toThrow('disk full')
})

test('what a block finalizes leaves with its batch, also when its save is still waiting', async () => {
  const path = tempDir()
  const { database, mempool } = await open(path)
  await mempool.save([event(1), event(2)])
  const waiting = mempool.save([event(3), event(4)])
  const batch = database.batch()
  mempool.remove(batch, Buffer.concat([event(2).id, event(3).id, event(9).id]))
  await database.write(batch)
  await waiting
  await database.close()
  expect((await reopened(path)).loaded).toEqual([1, 4])
})

const settle = async (mempool: MempoolStore, events: readonly StoredEvent[], fate: EventFate = 'expired') => {
  const { final, expired, unknown, dropped } = await mempool.settle(events.map((event) => ({ ...event, fate })))
  expect([final, expired, unknown].filter((count) => count > 0).length).toBeLessThanOrEqual(1)
  return { kept: expired + unknown, final, dropped }
}

const expired = async (mempool: MempoolStore) => {
  const events: StoredEvent[] = []
  for await (const { bytes } of mempool.expired.rows()) events.push({ id: bytes, bytes })
  return numbers(events)
}

test('of expired events those that were acknowledged are kept', async () => {
  const path = tempDir()
  const { database, mempool } = await open(path)
  await mempool.save([event(1), event(2), event(3)])
  const gossiped = event(9)
  expect(await settle(mempool, [event(1), gossiped, event(3)])).toEqual({ kept: 2, final: 0, dropped: 0 })
  expect(await mempool.expired.get(gossiped.id)).toBeUndefined()
  await database.close()
  const again = await reopened(path)
  expect(again.loaded).toEqual([2])
  expect(await expired(again.mempool)).toEqual([3, 1])
  expect(await again.mempool.expired.get(event(3).id)).toEqual(event(3).bytes)
})

test.each([{ bounds: { events: 3, bytes: 1 << 20 } }, { bounds: { events: 100, bytes: 3 * 32 + 31 } }])(
  'the oldest expired events make room within $bounds',
  async ({ bounds }) => {
    const path = tempDir()
    const { database, mempool } = await open(path, undefined, bounds)
    await mempool.save([1, 2, 3, 4, 5, 6].map(event))
    expect(await settle(mempool, [event(1), event(2)])).toEqual({ kept: 2, final: 0, dropped: 0 })
    expect(await settle(mempool, [event(3), event(4)])).toEqual({ kept: 2, final: 0, dropped: 1 })
    await database.close()
    const again = await open(path, undefined, bounds)
    onTestFinished(() => again.database.close())
    expect(await settle(again.mempool, [event(5), event(6)])).toEqual({ kept: 2, final: 0, dropped: 2 })
    expect(await expired(again.mempool)).toEqual([6, 5, 4])
    expect(await again.mempool.expired.get(event(3).id)).toBeUndefined()
  }
)

test('events whose fate is not known are kept until it is, and have one place', async () => {
  const path = tempDir()
  const { database, mempool } = await open(path, undefined, { events: 1, bytes: 32 })
  const all = [event(1), event(2), event(3)]
  await mempool.save(all)
  expect(await settle(mempool, all, 'unknown')).toEqual({ kept: 3, final: 0, dropped: 0 })
  // Accepted once more, and passed once more.
  await mempool.save([event(2)])
  expect(await settle(mempool, [event(2)], 'unknown')).toEqual({ kept: 1, final: 0, dropped: 0 })
  await database.close()
  const again = await open(path)
  onTestFinished(() => again.database.close())
  const passed = async () => {
    const events: StoredEvent[] = []
    for await (const { bytes } of again.mempool.passed.oldestFirst()) events.push({ id: bytes, bytes })
    return numbers(events)
  }
  expect(await passed()).toEqual([1, 3, 2])
  expect(await settle(again.mempool, [event(1)], 'final')).toEqual({ kept: 0, final: 1, dropped: 0 })
  expect(await settle(again.mempool, [event(3), event(7)])).toEqual({ kept: 1, final: 0, dropped: 0 })
  expect(await passed()).toEqual([2])
  expect(await expired(again.mempool)).toEqual([3])
})

test('a large expiry is several writes', async () => {
  const writes: number[] = []
  const { database, mempool } = await open(tempDir(), (operations) => writes.push(operations))
  onTestFinished(() => database.close())
  const large = Array.from({ length: 40 }, (_, n) => ({ id: event(n).id, bytes: new Uint8Array(100_000) }))
  await mempool.save(large)
  writes.length = 0
  expect(await settle(mempool, large)).toEqual({ kept: 40, final: 0, dropped: 0 })
  expect(writes).toEqual([22, 22, 22, 14])
})
