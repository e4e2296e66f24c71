import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { CheckedEvent } from '../../src/chain/event.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { World } from './support/world.ts'

function json({ body, actor, signature }: CheckedEvent) {
  return { body: Buffer.from(body).toString('base64'), actor: toHex(actor), signature: toHex(signature) }
}

describe('what is taken', () => {
  test('one event as JSON: 202, on disk, pending', async () => {
    const world = await World.open()
    const event = world.maker.event()
    const { status, body } = await world.post(json(event))
    expect({ status, body }).toEqual({ status: 202, body: { event_id: toHex(event.id), status: 'pending' } })
    expect((await world.get('/v1/mempool')).body).toEqual({ events: 1, bytes: event.bytes.byteLength })
  })

  test.each(['application/x-protobuf', 'application/protobuf'])('one event as %s', async (type) => {
    const world = await World.open()
    const event = world.maker.event()
    const { status, body } = await world.post(event.bytes, { headers: { 'content-type': type } })
    expect({ status, body }).toEqual({ status: 202, body: { event_id: toHex(event.id), status: 'pending' } })
  })

  test('the same event twice is one event; a final one says so', async () => {
    const world = await World.open()
    const event = world.maker.event()
    await world.post(json(event))
    expect((await world.post(json(event))).status).toBe(202)
    expect(world.mempool.stats().events).toBe(1)
    await world.finalize([event])
    const { status, body } = await world.post(json(event))
    expect({ status, body }).toEqual({
      status: 200,
      body: { event_id: toHex(event.id), status: 'finalized', height: 1 }
    })
  })

  test('a final event is so at any age, whoever hands it in; one that no block took is refused and named', async () => {
    const world = await World.open({ spec: { params: { eventWindowMs: 2000 } } })
    const [event, lost] = [world.maker.event(), world.maker.event()]
    await world.finalize([event])
    // Both windows that are in memory pass.
    for (let i = 0; i < 8; i++) await world.finalize()
    const final = { event_id: toHex(event.id), status: 'finalized', height: 1 }
    expect(await world.post(json(event))).toMatchObject({ status: 200, body: final })
    expect(await world.post(json(event), { query: '?wait=finalized' })).toMatchObject({ status: 200, body: final })
    const refused = { event_id: toHex(lost.id), code: 'EVENT_OUTSIDE_WINDOW', message: expect.stringMatching(/2000/) }
    const both = await world.post({ events: [json(event), json(lost)] })
    expect(both).toMatchObject({ status: 202, body: { results: [final, refused] } })
    const { event_id, code } = refused
    expect(await world.post(json(lost))).toMatchObject({ status: 422, body: { event_id, code } })
    const none = await world.post({ events: [json(lost)] })
    expect(none).toMatchObject({ status: 422, body: { code: 'EVENTS_REFUSED', results: [refused] } })
  })

  test('a large batch', async () => {
    const world = await World.open()
    const events = world.maker.events(300)
    const { status, body } = await world.post({ events: events.map(json) })
    expect(status).toBe(202)
    expect(body.results.map((r: { event_id: string }) => r.event_id)).toEqual(events.map(({ id }) => toHex(id)))
    expect(world.mempool.stats().events).toBe(300)
  })

  test('of a batch the good ones, and each bad one is told why', async () => {
    const world = await World.open()
    const [good, bad] = [world.maker.event(), world.maker.event()]
    const forged = { ...json(bad), signature: json(good).signature }
    const { status, body } = await world.post({ events: [json(good), forged] })
    expect(status).toBe(202)
    expect(body.results[0]).toEqual({ event_id: toHex(good.id), status: 'pending' })
    expect(body.results[1].code).toBe('EVENT_BAD_SIGNATURE')
    expect(world.mempool.stats().events).toBe(1)
  })
})

describe('?wait=finalized', () => {
  test('answers when the event is final, with its height', async () => {
    const world = await World.open()
    const [event, other] = [world.maker.event(), world.maker.event()]
    const waiting = world.post({ events: [json(event), json(other)] }, { query: '?wait=finalized' })
    while (world.mempool.stats().events < 2) await new Promise((resolve) => setImmediate(resolve))
    await world.finalize([event])
    await world.finalize([other])
    const { status, body } = await waiting
    expect(status).toBe(200)
    expect(body.results).toEqual([
      { event_id: toHex(event.id), status: 'finalized', height: 1 },
      { event_id: toHex(other.id), status: 'finalized', height: 2 }
    ])
  })

  test('reads nothing for events that wait: only a block that has them brings the answer', async () => {
    const world = await World.open()
    const events = Array.from({ length: 20 }, () => world.maker.event())
    const read = vi.spyOn(world.ledger, 'event')
    const waiting = world.post({ events: events.map(json) }, { query: '?wait=finalized' })
    while (world.mempool.stats().events < 20) await new Promise((resolve) => setImmediate(resolve))
    await world.finalize(events)
    expect((await waiting).status).toBe(200)
    expect(read).not.toHaveBeenCalled()
  })

  test('gives up after the longest wait: pending', async () => {
    const world = await World.open({ api: { max_wait_ms: 20 } })
    const { status, body } = await world.post(json(world.maker.event()), { query: '?wait=finalized' })
    expect({ status, state: body.status }).toEqual({ status: 202, state: 'pending' })
  })

  test('does not hold more requests than it may', async () => {
    const world = await World.open({ api: { max_waiters: 0 } })
    const { status, body } = await world.post(json(world.maker.event()), { query: '?wait=finalized' })
    expect({ status, state: body.status }).toEqual({ status: 202, state: 'pending' })
  })

  test('lets everybody go when the node stops', async () => {
    const world = await World.open()
    const waiting = world.post(json(world.maker.event()), { query: '?wait=finalized' })
    while (world.mempool.stats().events < 1) await new Promise((resolve) => setImmediate(resolve))
    await world.api.close()
    expect((await waiting).body.status).toBe('pending')
  })
})

describe('what is refused changes nothing and says why, as a problem', () => {
  let world: World
  beforeAll(async () => {
    world = await World.open({ blocks: 1, shared: true })
  })
  afterAll(() => world.close())

  const HEX = 'application/json'
  const BODY = 'EgA='
  const KEY = 'ab'.repeat(32)
  const SIGNATURE = 'ab'.repeat(64)
  const good = { body: BODY, actor: KEY, signature: SIGNATURE }
  test.each<[string, unknown, number, string, RegExp, string?]>([
    ['not JSON', '{', 400, 'BAD_JSON', /JSON/],
    ['empty', '', 400, 'BAD_JSON', /empty/],
    ['a list', [good], 400, 'BAD_REQUEST', /no object; accepted: /],
    ['null', 'null', 400, 'BAD_REQUEST', /no object/],
    ['no body', { actor: KEY, signature: SIGNATURE }, 400, 'BAD_REQUEST', /body is no base64/],
    ['base64url', { ...good, body: '_-8=' }, 400, 'BAD_REQUEST', /body is no base64/],
    ['unpadded', { ...good, body: 'EgA' }, 400, 'BAD_REQUEST', /body is no base64/],
    ['short key', { ...good, actor: 'ab' }, 400, 'BAD_REQUEST', /actor is no 32 bytes of hex/],
    ['key of a wrong type', { ...good, actor: 7 }, 400, 'BAD_REQUEST', /actor is no 32 bytes/],
    ['signature not hex', { ...good, signature: 'zz'.repeat(64) }, 400, 'BAD_REQUEST', /signature is no 64 bytes/],
    ['unknown key', { ...good, sig: 'x' }, 400, 'BAD_REQUEST', /unknown key sig/],
    ['proto key', '{"__proto__": {}}', 400, 'BAD_JSON', /JSON/],
    ['empty batch', { events: [] }, 400, 'BAD_REQUEST', /list of 1 to 1000/],
    ['large batch', { events: Array(1001).fill(good) }, 400, 'BAD_REQUEST', /list of 1 to 1000/],
    ['batch of no list', { events: {} }, 400, 'BAD_REQUEST', /list of 1 to 1000/],
    ['batch with a bad one', { events: [good, 3] }, 400, 'BAD_REQUEST', /events\[1\] is no object/],
    ['batch and more', { events: [good], body: BODY }, 400, 'BAD_REQUEST', /beside events/],
    ['not an event', good, 400, 'EVENT_MALFORMED', /./],
    ['not protobuf', 'xyz', 400, 'EVENT_MALFORMED', /./, 'application/x-protobuf'],
    ['empty protobuf', '', 400, 'EVENT_MALFORMED', /./, 'application/x-protobuf'],
    ['too large an event', { ...good, body: Buffer.alloc(20_000).toString('base64') }, 413, 'EVENT_TOO_LARGE', /16384/],
    ['too large a body', ' '.repeat(5 << 20), 413, 'BODY_TOO_LARGE', /large/],
    ['text', 'hello', 415, 'UNSUPPORTED_MEDIA_TYPE', /text\/plain/, 'text/plain']
  ])('%s', async (_, body, status, code, detail, type = HEX) => {
    const answer = await world.post(body, { headers: { 'content-type': type } })
    expect(answer.body).toMatchObject({ status, code, type: 'about:blank', title: expect.any(String) })
    expect(answer.body.detail).toMatch(detail)
    expect(answer.body.detail).not.toContain('\n')
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toMatch('application/problem+json')
    expect(world.mempool.stats().events).toBe(0)
  })

  test('a forged event, alone and as all of a batch', async () => {
    const forged = { ...json(world.maker.event()), signature: SIGNATURE }
    expect((await world.post(forged)).body).toMatchObject({ status: 422, code: 'EVENT_BAD_SIGNATURE' })
    const batch = await world.post({ events: [forged, forged] })
    expect(batch.body).toMatchObject({ status: 422, code: 'EVENTS_REFUSED' })
    expect(batch.body.results.map((r: { code: string }) => r.code)).toEqual([
      'EVENT_BAD_SIGNATURE',
      'EVENT_BAD_SIGNATURE'
    ])
  })

  test('a full mempool: 503 and when to try again', async () => {
    const world = await World.open({ mempool: { maxEvents: 1 } })
    await world.post(json(world.maker.event()))
    const { status, body, headers } = await world.post(json(world.maker.event()))
    expect({ status, code: body.code }).toEqual({ status: 503, code: 'MEMPOOL_FULL' })
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  })

  test('wait for something else', async () => {
    const { body } = await world.post(json(world.maker.event()), { query: '?wait=forever' })
    expect(body).toMatchObject({ status: 400, code: 'BAD_REQUEST' })
    expect(body.detail).toMatch(/wait/)
  })
})

describe('queries that are refused', () => {
  let world: World
  beforeAll(async () => {
    world = await World.open({ blocks: 1, shared: true })
  })
  afterAll(() => world.close())

  test.each<[string, number, string, RegExp]>([
    ['/v1/nothing', 404, 'NOT_FOUND', /no GET \/v1\/nothing/],
    ['/v1/blocks/7', 404, 'BLOCK_UNKNOWN', /no block 7 here; this node holds 1 to 1/],
    [`/v1/blocks/${'ab'.repeat(32)}`, 404, 'BLOCK_UNKNOWN', /no finalized block/],
    ['/v1/blocks/-1', 400, 'BAD_REQUEST', /"latest", a height or a hash/],
    ['/v1/blocks/9007199254740993', 400, 'BAD_REQUEST', /height/],
    ['/v1/blocks/1.5', 400, 'BAD_REQUEST', /height/],
    ['/v1/headers/x', 400, 'BAD_REQUEST', /height must be integer/],
    ['/v1/headers/9', 404, 'BLOCK_UNKNOWN', /no block 9/],
    [`/v1/events/${'ab'.repeat(32)}`, 404, 'UNKNOWN_EVENT', /no event/],
    ['/v1/events/12', 400, 'BAD_REQUEST', /64 hex digits/],
    ['/v1/events?actr=1', 400, 'BAD_REQUEST', /unknown querystring parameter "actr"/],
    ['/v1/events?actor=AB', 400, 'BAD_REQUEST', /actor must match/],
    ['/v1/events?limit=0', 400, 'BAD_REQUEST', /limit must be >= 1/],
    ['/v1/events?limit=1001', 400, 'BAD_REQUEST', /limit must be <= 1000/],
    ['/v1/events?limit=many', 400, 'BAD_REQUEST', /limit must be integer/],
    ['/v1/events?limit=1e2', 400, 'BAD_REQUEST', /limit must be integer, in digits/],
    ['/v1/events?from=0x10', 400, 'BAD_REQUEST', /from must be integer, in digits/],
    ['/v1/events?to=+7+', 400, 'BAD_REQUEST', /to must be integer, in digits/],
    ['/v1/headers/0x1', 400, 'BAD_REQUEST', /height must be integer, in digits/],
    ['/v1/events?from=5&to=4', 400, 'BAD_REQUEST', /from \(5\) is above to \(4\)/],
    ['/v1/events?resource_id=x', 400, 'BAD_REQUEST', /needs resource_kind/],
    ['/v1/events?cursor=zzz', 400, 'BAD_CURSOR', /next_cursor/],
    ['/v1/events?order=up', 400, 'BAD_REQUEST', /order/]
  ])('%s', async (path, status, code, detail) => {
    const { body } = await world.get(path)
    expect(body).toMatchObject({ status, code })
    expect(body.detail).toMatch(detail)
  })
})
