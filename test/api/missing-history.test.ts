import { expect, test } from 'vitest'
import { type CheckedBlock, checkHistory } from '../../src/chain/check-block.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { joinFinalized, splitBlock } from '../../src/codec/raw.ts'
import { ChainMaker } from '../support/chain-maker.ts'
import { World, type WorldOptions } from './support/world.ts'

const EVENTS = 3
const BASE = 8
const TIP = 10
const spec = { eventsPerBlock: EVENTS, actors: 3, params: { eventWindowMs: 2000 } }
const options: WorldOptions = { spec, blocks: TIP, base: BASE }

/** The same chain, which holds all. */
const maker = new ChainMaker(spec)
const blocks = Array.from({ length: TIP }, () => maker.next())
const idsOf = ({ eventIds }: CheckedBlock): string[] =>
  Array.from({ length: EVENTS }, (_, i) => toHex(eventIds.subarray(32 * i, 32 * (i + 1))))
const blockOf = (height: number): CheckedBlock => blocks[height - 1] as CheckedBlock
const idAt = (height: number): string => idsOf(blockOf(height))[0] as string

const history = (from: number, to: number): CheckedBlock[] =>
  blocks.slice(from - 1, to).map(({ blockBytes, commitBytes }) => {
    const result = checkHistory(maker.genesis, joinFinalized(blockBytes, commitBytes))
    if (!result.ok) throw new Error(result.failure.message)
    return result.block
  })

const unavailable = (detail: RegExp) => ({
  status: 503,
  body: expect.objectContaining({ code: 'UNAVAILABLE', detail: expect.stringMatching(detail) })
})

test('what may be in history that is not held is no "unknown"', async () => {
  const world = await World.open(options)
  for (const path of [
    `/v1/events/${idAt(3)}`,
    `/v1/events/${'ab'.repeat(32)}`,
    `/v1/blocks/${BASE - 1}`,
    `/v1/headers/${BASE - 1}`,
    '/v1/blocks/1',
    `/v1/blocks/${toHex(blockOf(3).hash)}`,
    `/v1/proofs/events/${idAt(3)}`
  ]) {
    expect(await world.get(path), path).toMatchObject(unavailable(/this node holds blocks from 8 up$/))
  }
  expect(await world.get(`/v1/blocks/${TIP + 1}`)).toMatchObject({ status: 404, body: { code: 'BLOCK_UNKNOWN' } })
  for (const path of [`/v1/events/${idAt(BASE)}`, `/v1/blocks/${BASE}`, `/v1/headers/${BASE}`, '/v1/blocks/0']) {
    expect(await world.get(path), path).toMatchObject({ status: 200 })
  }
})

test('an old event that is handed in again is final, or nobody can tell: never refused as if it were in no block', async () => {
  const world = await World.open(options)
  const protobuf = { headers: { 'content-type': 'application/x-protobuf' } }
  const eventAt = (height: number) => splitBlock(blockOf(height).blockBytes).events[0] as Uint8Array
  const final = { event_id: idAt(BASE), status: 'finalized', height: BASE }
  expect(await world.post(eventAt(BASE), protobuf)).toMatchObject({ status: 200, body: final })
  expect(await world.post(eventAt(3), protobuf)).toMatchObject(unavailable(/cannot be told here/))
})

/** All pages of a listing, and the answer that it ends with if that is no page. */
async function listed(world: World, query: string) {
  const ids: string[] = []
  for (let cursor = ''; ; ) {
    const { status, body } = await world.get(`/v1/events?limit=2&${query}${cursor}`)
    if (status !== 200) return { ids, end: { status, body } }
    ids.push(...body.events.map(({ event_id }: { event_id: string }) => event_id))
    if (body.next_cursor === null) return { ids, end: undefined }
    cursor = `&cursor=${body.next_cursor}`
  }
}

const all = (...heights: number[]): string[] => heights.flatMap((height) => idsOf(blockOf(height)))

test('a listing ends where blocks are not held, and says so', async () => {
  const world = await World.open(options)
  const upTo7 = unavailable(/^the events of blocks 1 to 7 are history not held here; this node holds blocks from 8 up$/)
  expect(await listed(world, '')).toEqual({ ids: [], end: upTo7 })
  expect(await listed(world, 'order=desc')).toEqual({ ids: all(8, 9, 10).toReversed(), end: upTo7 })
  expect(await listed(world, 'from=8')).toEqual({ ids: all(8, 9, 10), end: undefined })
  expect(await listed(world, 'from=9&order=desc')).toEqual({ ids: all(9, 10).toReversed(), end: undefined })
  expect(await listed(world, 'from=7&to=7')).toEqual({ ids: [], end: unavailable(/events of block 7 are history/) })
  const actor = toHex(maker.actors[0]?.publicKey as Uint8Array)
  expect((await listed(world, `actor=${actor}`)).end).toEqual(upTo7)
  // The state says of a key without any event that it has none.
  expect(await listed(world, `actor=${'ab'.repeat(32)}`)).toEqual({ ids: [], end: undefined })

  // With a piece of history in the middle, not certified yet.
  await world.ledger.history.put(3, history(3, 5))
  expect((await world.get(`/v1/events/${idAt(4)}`)).body).toMatchObject({ height: 4 })
  const low = unavailable(/^the events of blocks 1 to 2 are history not held here; this node holds blocks from 8 up$/)
  const high = unavailable(/^the events of blocks 6 to 7 are history/)
  expect(await listed(world, '')).toEqual({ ids: [], end: low })
  expect(await listed(world, 'from=3')).toEqual({ ids: all(3, 4, 5), end: high })
  expect(await listed(world, 'to=5')).toEqual({ ids: [], end: low })
  expect(await listed(world, 'to=5&order=desc')).toEqual({ ids: all(3, 4, 5).toReversed(), end: low })
  expect(await listed(world, 'from=4&to=5')).toEqual({ ids: all(4, 5), end: undefined })

  // Nothing is missing, though no certificate is verified yet.
  await world.ledger.history.put(1, history(1, BASE - 1))
  expect(world.ledger.earliestHeight).toBe(BASE)
  const none = 'ab'.repeat(32)
  for (const [path, code] of [
    [`/v1/events/${none}`, 'UNKNOWN_EVENT'],
    [`/v1/blocks/${none}`, 'BLOCK_UNKNOWN'],
    [`/v1/proofs/events/${none}`, 'UNKNOWN_EVENT']
  ] as const) {
    expect(await world.get(path), path).toMatchObject({ status: 404, body: { code } })
  }
  await world.ledger.history.certified(1)
  const every = Array.from({ length: TIP }, (_, i) => i + 1)
  expect(await listed(world, '')).toEqual({ ids: all(...every), end: undefined })
  expect(await world.get(`/v1/events/${'ab'.repeat(32)}`)).toMatchObject({
    status: 404,
    body: { code: 'UNKNOWN_EVENT' }
  })
})

test('passed: an event that may be final in history is shown as that', async () => {
  const world = await World.open(options)
  const events = world.maker.events(3)
  await world.ledger.saveMempool(events)
  for (let i = 0; i < 5; i++) await world.finalize()
  await world.ledger.expireMempool(events)
  expect((await world.get('/v1/events?status=passed')).body).toEqual({ events: [], next_cursor: null })
  const old = new ChainMaker(spec)
  for (let height = 1; height < BASE - 1; height++) old.next([])
  const lost = old.events(3)
  await world.ledger.saveMempool(lost)
  await world.ledger.expireMempool(lost)
  const ids = lost.map(({ id }) => toHex(id))
  expect((await world.get(`/v1/events/${ids[1]}`)).body).toMatchObject({ event_id: ids[1], status: 'passed' })
  const first = (await world.get('/v1/events?status=passed&limit=2')).body
  const rest = (await world.get(`/v1/events?status=passed&cursor=${first.next_cursor}`)).body
  const shown = [...first.events, ...rest.events].map((event: { event_id: string }) => event.event_id)
  expect(shown).toEqual(ids.toReversed())
  expect(await world.get('/v1/events?status=passed&action=login')).toMatchObject({ status: 400 })
})
