import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { Database } from '../../src/store/database.ts'
import { EventIndex } from '../../src/store/event-index.ts'
import { EventRows, packKeys } from '../../src/store/event-rows.ts'
import { bucketOf, packSegment, placesIn } from '../../src/store/segment.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { tempDir } from '../support/temp-dir.ts'

const genesisHash = new Uint8Array(32)

async function openIndex(path: string, segmentEvents: number) {
  const database = await Database.open(path, { genesisHash, create: true })
  const rows = new EventRows(database)
  const index = new EventIndex(database, rows, segmentEvents)
  await index.load()
  const add = async (height: number, ids: Uint8Array) => {
    const batch = database.batch()
    rows.put(batch, { height, timestamp: height * 1000, ids }, new Uint8Array(ids.byteLength * 3))
    index.add(batch, height, ids)
    await database.write(batch)
    index.written()
  }
  return { database, index, add }
}

test('every event is found where it is, in memory and in segments, also after opening again', async () => {
  const path = tempDir()
  const random = new Random(1)
  const blocks = Array.from({ length: 40 }, () => new Uint8Array(randomBytes(32 * random.below(30))))
  const first = await openIndex(path, 100)
  for (const [i, ids] of blocks.entries()) await first.add(i + 1, ids)
  const check = async (index: EventIndex) => {
    for (const [i, ids] of blocks.entries()) {
      for (let at = 0; at < ids.byteLength; at += 32) {
        expect(await index.find(ids.subarray(at, at + 32))).toEqual({ height: i + 1, index: at / 32 })
      }
    }
    expect(await index.find(randomBytes(32))).toBeUndefined()
  }
  expect((await first.index.segments()).length).toBeGreaterThan(3)
  await check(first.index)
  await first.database.close()
  const again = await openIndex(path, 100)
  onTestFinished(() => again.database.close())
  await check(again.index)
})

test('ids that share all the bits that a row keeps are told apart', async () => {
  const { database, index, add } = await openIndex(tempDir(), 4)
  onTestFinished(() => database.close())
  const alike = Array.from({ length: 6 }, (_, i) => {
    const id = new Uint8Array(32).fill(7)
    id[31] = i
    return id
  })
  for (const [i, id] of alike.slice(0, 5).entries()) await add(i + 1, id)
  expect(await index.segments()).toEqual([{ from: 1, to: 4 }])
  for (const [i, id] of alike.slice(0, 5).entries()) expect(await index.find(id)).toEqual({ height: i + 1, index: 0 })
  expect(await index.find(alike[5] as Uint8Array)).toBeUndefined()
})

test('an event is found while its segment is on its way to the disk', async () => {
  const { database, index } = await openIndex(tempDir(), 2)
  onTestFinished(() => database.close())
  const ids = new Uint8Array(randomBytes(64))
  const batch = database.batch()
  index.add(batch, 1, ids)
  expect(await index.find(ids.subarray(32))).toEqual({ height: 1, index: 1 })
  await batch.discard()
})

test('segments hold each place once, in the bucket of its id', () => {
  const block = fc.record({
    height: fc.integer({ min: 1, max: 2 ** 40 }),
    ids: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 40 }).map((list) => Buffer.concat(list))
  })
  fc.assert(
    fc.property(fc.array(block, { maxLength: 8 }), (blocks) => {
      const rows = packSegment(blocks)
      let places = 0
      for (const { height, ids } of blocks) {
        for (let at = 0; at < ids.byteLength; at += 32) {
          const id = ids.subarray(at, at + 32)
          const row = rows.get(bucketOf(id)) as Uint8Array
          expect([...placesIn(row, id)]).toContainEqual({ height, index: at / 32 })
          places++
        }
      }
      expect([...rows.values()].reduce((sum, row) => sum + row.byteLength / 14, 0)).toBe(places)
    }),
    runs(50)
  )
})

test('key rows are columns of prefixes', () => {
  const hashes = Buffer.concat([1, 2, 3, 4, 5, 6].map((n) => Buffer.alloc(32, n)))
  expect(Buffer.from(packKeys(hashes)).toString('hex')).toBe(
    '01010101' + '04040404' + '02020202' + '05050505' + '03030303' + '06060606'
  )
})
