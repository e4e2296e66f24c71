import { describe, expect, test } from 'vitest'
import { parseGenesis } from '../../src/chain/genesis.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { SignedEvent } from '../../src/codec/generated/event.ts'
import { peer, World } from './support/world.ts'

test('status has the shape that others rely on', async () => {
  const world = await World.open({ blocks: 2 })
  world.peers = [peer(), peer({ state: 'PROVIDING' }), peer(), peer({ state: 'HANDSHAKING' })]
  world.outlook = {
    waiting: { code: 'VOTES', message: 'waits for prevotes', since: 1_700_000_000_000, standsMs: undefined },
    clock: { aheadMs: -12, faults: [] }
  }
  world.pending = { height: 3, hash: new Uint8Array(32).fill(9), round: 1, signatures: 2, needed: 3 }
  const { status, body } = await world.get('/v1/status')
  const { tip } = world.ledger
  expect(status).toBe(200)
  expect(body).toEqual({
    version: '1.2.3',
    chain_id: 'test-1',
    genesis_hash: toHex(world.maker.genesis.hash),
    peer_id: world.source.peerId,
    chain_key: world.source.chainKey,
    addresses: ['/ip4/127.0.0.1/tcp/9645'],
    mode: 'full',
    role: 'validator',
    abstains: null,
    state: 'SYNCED',
    waiting: { code: 'VOTES', message: 'waits for prevotes', since: 1_700_000_000_000, standing_seconds: null },
    clock: { ahead_ms: -12, faults: [] },
    sync: {
      strategy: 'gossip',
      height: 2,
      target_height: 2,
      blocks_per_second: 0,
      bytes_per_second: 0,
      eta_seconds: null,
      peers: 0,
      stalled: null,
      last_run: null,
      warp: null,
      backfill: null
    },
    peer_key_in_use: null,
    finalized: { height: 2, hash: toHex(tip.hash), timestamp: tip.header.timestamp },
    pending: { height: 3, hash: '09'.repeat(32), round: 1, signatures: 2, needed: 3 },
    earliest_height: 1,
    mmr_root: toHex(tip.mmrRoot),
    state_root: toHex(tip.header.stateRoot),
    light: null,
    event_total: 6,
    peers: { connected: 3, sessions: { SYNCED: 2, PROVIDING: 1, HANDSHAKING: 1 } },
    mempool: { events: 0, bytes: 0 },
    log: { lost_lines: 0, fault: null },
    uptime_seconds: 12
  })
})

test('state: CONNECTING alone, the best session’s, SYNCING while behind', async () => {
  const world = await World.open({ blocks: 1 })
  const state = async () => (await world.get('/v1/status')).body.state
  expect(await state()).toBe('CONNECTING')
  world.peers = [peer({ state: 'HANDSHAKING' }), peer({ state: 'DETERMINING' })]
  expect(await state()).toBe('DETERMINING')
  world.peers.push(peer({ state: 'PROVIDING' }))
  expect(await state()).toBe('PROVIDING')
  world.sync = { ...world.sync, strategy: 'range', targetHeight: 5 }
  expect(await state()).toBe('SYNCING')
})

test('genesis is the canonical text that hashes to the chain’s genesis hash', async () => {
  const world = await World.open()
  const response = await fetch(`${world.url}/v1/genesis`)
  expect(parseGenesis(await response.text()).hash).toEqual(world.maker.genesis.hash)
  expect(response.headers.get('content-type')).toMatch('application/json')
})

test('peers and validators', async () => {
  const world = await World.open()
  const [own, other] = world.maker.validators.map(({ publicKey }) => toHex(publicKey))
  world.peers = [peer({ chainKey: other }), peer({ mode: undefined, userAgent: undefined })]
  const { peers } = (await world.get('/v1/peers')).body
  expect(peers[0]).toMatchObject({ state: 'SYNCED', chain_key: other, validator: 'v1', score: 1.2, mode: 'FULL' })
  expect(peers[0].gossip).toEqual({ accepted: 3, useless: 2, dropped: 1 })
  expect(peers[1]).toMatchObject({ chain_key: null, validator: null, mode: null, user_agent: null })
  const { quorum, validators } = (await world.get('/v1/validators')).body
  expect(quorum).toBe(3)
  expect(validators).toHaveLength(4)
  expect(validators[0]).toEqual({ name: 'v0', public_key: own, connected: true })
  expect(validators.map((v: { connected: boolean }) => v.connected)).toEqual([true, true, false, false])
})

test('sync says why it is stalled', async () => {
  const world = await World.open()
  const stalled = { since: 5, code: 'NO_SOURCES', message: 'no peer holds block 1' }
  world.sync = { ...world.sync, strategy: 'range', targetHeight: 9, blocksPerSecond: 12.345, etaSeconds: 0.2, stalled }
  expect((await world.get('/v1/sync')).body).toMatchObject({ stalled, blocks_per_second: 12.3, eta_seconds: 1 })
})

test('evidence names validators', async () => {
  const world = await World.open()
  const validators = [world.maker.validators[2]?.publicKey ?? new Uint8Array(), new Uint8Array(32)]
  const record = { kind: 'votes', height: 7, seenAt: 8, validators, description: 'two votes', parts: [] }
  await world.ledger.saveEvidence(record, 'slot')
  const { evidence } = (await world.get('/v1/evidence')).body
  expect(evidence).toMatchObject([{ kind: 'votes', height: 7, seen_at: 8, description: 'two votes' }])
  expect(evidence[0].validators.map((v: { name: string | null }) => v.name)).toEqual(['v2', null])
})

describe('blocks', () => {
  test('by height, by hash and latest', async () => {
    const world = await World.open({ blocks: 3 })
    const byHeight = (await world.get('/v1/blocks/2')).body
    expect(byHeight).toMatchObject({ height: 2, header: { height: 2, event_count: 3, version: 1 } })
    expect(byHeight.commit.signatures).toHaveLength(3)
    expect(byHeight.commit.block_hash).toBe(byHeight.hash)
    expect(byHeight.seal).toMatch(/^[0-9a-f]{128}$/)
    expect(byHeight.events.map((e: { index: number }) => e.index)).toEqual([0, 1, 2])
    expect((await world.get(`/v1/blocks/${byHeight.hash}`)).body).toEqual(byHeight)
    const latest = (await world.get('/v1/blocks/latest')).body
    expect(latest).toMatchObject({ height: 3, hash: toHex(world.ledger.tip.hash) })
    expect(latest.header.parent_hash).toBe(byHeight.hash)
    const { events: _, ...sealed } = byHeight
    expect((await world.get('/v1/headers/2')).body).toEqual(sealed)
  })

  test('block 0 is implied by the genesis', async () => {
    const world = await World.open()
    const zero = (await world.get('/v1/blocks/0')).body
    expect(zero).toMatchObject({ height: 0, seal: null, commit: null, events: [] })
    expect(zero.header.parent_hash).toBe(toHex(world.maker.genesis.hash))
    expect((await world.get(`/v1/blocks/${zero.hash}`)).body).toEqual(zero)
    expect((await world.get('/v1/blocks/latest')).body).toEqual(zero)
  })
})

describe('events', () => {
  test('one, final or pending', async () => {
    const world = await World.open({ blocks: 1 })
    const [event] = (await world.get('/v1/blocks/1')).body.events
    expect(event).toMatchObject({ status: 'finalized', height: 1, index: 0, resource: { kind: 'document' } })
    expect((await world.get(`/v1/events/${event.event_id}`)).body).toEqual(event)
    const waiting = world.maker.event()
    await world.source.submit(waiting.bytes, '127.0.0.1')
    const id = toHex(waiting.id)
    expect((await world.get(`/v1/events/${id}`)).body).toEqual({ event_id: id, status: 'pending' })
  })

  test('expired: one by its id, and a listing page by page', async () => {
    const world = await World.open({ blocks: 1 })
    const events = world.maker.events(5)
    await world.ledger.saveMempool(events)
    await world.ledger.expireMempool(events)
    const ids = events.map(({ id }) => toHex(id))
    const one = (await world.get(`/v1/events/${ids[2]}`)).body
    const { actor, signature, body } = SignedEvent.decode(events[2]?.bytes as Uint8Array)
    expect(one).toMatchObject({ event_id: ids[2], status: 'expired', actor: toHex(actor), signature: toHex(signature) })
    expect(one.body).toBe(Buffer.from(body).toString('base64'))
    expect(one).not.toHaveProperty('height')
    const first = (await world.get('/v1/events?status=expired&limit=3')).body
    expect(first.events[2]).toEqual(one)
    const rest = (await world.get(`/v1/events?status=expired&cursor=${first.next_cursor}`)).body
    expect(rest.next_cursor).toBeNull()
    const listed = [...first.events, ...rest.events].map((e: { event_id: string }) => e.event_id)
    expect(listed).toEqual(ids.toReversed())
    const finalized = (await world.get('/v1/events?status=finalized')).body
    expect(finalized).toEqual((await world.get('/v1/events')).body)
    expect((await world.get('/v1/events?status=expired&cursor=1-0')).body.code).toBe('BAD_CURSOR')
    const filtered = await world.get('/v1/events?status=expired&action=login')
    expect(filtered).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } })
    expect(filtered.body.detail).toMatch('action does not go with status=expired')
  })

  test('pages of a listing make up the whole of it, both ways', async () => {
    const world = await World.open({ blocks: 5 })
    const all = (await world.get('/v1/events')).body
    expect(all.events).toHaveLength(15)
    expect(all.next_cursor).toBeNull()
    for (const order of ['asc', 'desc']) {
      const ids: string[] = []
      let cursor = ''
      do {
        const page = (await world.get(`/v1/events?limit=4&order=${order}${cursor}`)).body
        ids.push(...page.events.map((e: { event_id: string }) => e.event_id))
        cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`
      } while (cursor !== '')
      const expected = all.events.map((e: { event_id: string }) => e.event_id)
      expect(ids).toEqual(order === 'asc' ? expected : expected.reverse())
    }
  })

  test('filters', async () => {
    const world = await World.open({ blocks: 5, spec: { actors: 2, resources: 2, actions: 2 } })
    const { events } = (await world.get('/v1/events')).body
    const [{ actor, action, resource }] = events
    type Shown = { actor: string; action: string; resource: { kind: string; id: string }; height: number }
    const check = async (query: string, matches: (event: Shown) => boolean) => {
      expect((await world.get(`/v1/events?${query}`)).body.events).toEqual(events.filter(matches))
    }
    await check(`actor=${actor}`, (e) => e.actor === actor)
    await check(`action=${action}`, (e) => e.action === action)
    await check('resource_kind=document', () => true)
    await check('resource_kind=letter', () => false)
    const id = encodeURIComponent(resource.id)
    await check(`resource_kind=document&resource_id=${id}`, (e) => e.resource.id === resource.id)
    await check('from=2&to=3', (e) => e.height === 2 || e.height === 3)
    await check(`actor=${actor}&action=${action}`, (e) => e.actor === actor && e.action === action)
  })
})

describe('health', () => {
  test('is served before sync: live at once, ready when there is reason to be', async () => {
    const world = await World.open({ blocks: 1 })
    expect(await world.get('/health/live')).toMatchObject({ status: 200, body: { status: 'live' } })
    const ready = async () => (await world.get('/health/ready')).body
    expect(await ready()).toMatchObject({ status: 503, code: 'NO_PEERS' })
    world.keyInUse = { since: 1, message: 'another running node uses this node’s peer key' }
    expect(await ready()).toMatchObject({
      code: 'NO_PEERS',
      detail: expect.stringContaining(`peer of this chain; ${world.keyInUse.message}`)
    })
    expect((await world.get('/v1/status')).body.peer_key_in_use).toEqual(world.keyInUse)
    world.peers = [peer()]
    expect(await ready()).toEqual({ status: 'ready', state: 'SYNCED', height: 1 })
    const waiting = { code: 'VALIDATORS', message: 'waits for validators', since: 1, standsMs: undefined }
    world.outlook = { waiting, clock: { aheadMs: undefined, faults: ['a clock is off'] } }
    expect(await ready()).toMatchObject({ status: 'ready' })
    world.outlook = { ...world.outlook, waiting: { ...waiting, standsMs: 83_900 } }
    expect(await ready()).toMatchObject({
      status: 503,
      code: 'CHAIN_STANDS',
      detail: 'no block at height 2 for 83 s: waits for validators; a clock is off'
    })
    world.sync = { ...world.sync, targetHeight: 40 }
    expect(await ready()).toMatchObject({ status: 503, code: 'SYNCING', detail: 'at height 1 of 40' })
    world.sync = { ...world.sync, stalled: { since: 1, code: 'NO_SOURCES', message: 'no peer holds block 2' } }
    expect(await ready()).toMatchObject({ status: 503, code: 'NO_SOURCES' })
    world.fault = { code: 'CONFLICTING_FINALITY', message: 'two blocks at 1' }
    expect(await ready()).toMatchObject({ status: 503, code: 'CONFLICTING_FINALITY', detail: 'two blocks at 1' })
  })

  test('the only validator of a chain is ready alone', async () => {
    const world = await World.open({ spec: { validators: 1 } })
    expect((await world.get('/health/ready')).status).toBe(200)
  })
})
