import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addRoutes, createApp } from '../../src/api/app.ts'
import { boundRoutes, createBudgets, type RouteBound } from '../../src/api/bounds.ts'
import { FinalityWaiters } from '../../src/api/finality.ts'
import { Gate } from '../../src/api/gate.ts'
import { handleErrors } from '../../src/api/problem.ts'
import { type CheckedEvent, signEvent } from '../../src/chain/event.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { Outcome } from '../../src/codec/generated/event.ts'
import { type Log, silentLog } from '../../src/log.ts'
import type { PeerView } from '../../src/network/types.ts'
import { peer, World } from './support/world.ts'

/** A page, and one item more that may be as large. */
const MAX_ANSWER_BYTES = 4 << 20
const MAX_BODY_BYTES = 4 << 20
const MAX_EVENT_BYTES = 262_144

interface Route {
  readonly name: string
  readonly bound: RouteBound
  readonly bodyLimit: number | undefined
}

/** Every route that there is. */
function routesOf(world: World): Route[] {
  const app = createApp(() => {})
  const routes: Route[] = []
  app.addHook('onRoute', ({ method, url, config, bodyLimit }) => {
    if (method !== 'HEAD') routes.push({ name: `${method} ${url}`, bound: config?.bound as RouteBound, bodyLimit })
  })
  boundRoutes(app, createBudgets(), new Gate(1), silentLog)
  addRoutes(app, world.source, new FinalityWaiters(world.source, 1), 1)
  return routes
}

/** A node of which everything is as large as it can be. */
let world: World
let routes: Route[]

beforeAll(async () => {
  world = await World.open({
    shared: true,
    spec: {
      validators: 8,
      params: { maxEventBytes: MAX_EVENT_BYTES, maxBlockBytes: 2_097_152, maxBlockEvents: 20_000, snapshotInterval: 1 }
    },
    keepSnapshots: 2
  })
  const { maker } = world
  // A byte that is six characters of JSON, all that there is room for; and as many events as a block has room for.
  const loud = (length: number) => [{ key: 'k', value: '\u0001'.repeat(length) }]
  const large = Array.from({ length: 7 }, () => event(loud(MAX_EVENT_BYTES - 300)))
  await world.finalize(large)
  await world.finalize(Array.from({ length: 5000 }, () => event([])))
  await world.ledger.saveMempool(large)
  const kept = Array.from({ length: 5 }, () => event(loud(MAX_EVENT_BYTES - 300)))
  await world.ledger.saveMempool(kept)
  await world.ledger.expireMempool(kept)
  world.peers = Array.from({ length: 3000 }, (_, i) => peer(noisyPeer(i)))
  const held = Array.from({ length: 4096 }, (_, i) => ({
    peerId: idOf(i),
    verdict: 'ban' as const,
    code: 'OPERATOR',
    message: '\u0001'.repeat(500),
    since: 1,
    until: 2
  }))
  world.peerBook = { held: () => held, knownPeers: 4096 }
  const ids = Array.from({ length: 10_000 }, (_, i) => idOf(i))
  const counts = { published: 1, received: 1, duplicates: 1, accepted: 1, ignored: 1, rejected: 1, dropped: 1 }
  world.topics = (['events', 'block', 'vote', 'finalized', 'header'] as const).map((topic) => ({
    topic,
    id: `/moloch/test/${topic}/1`,
    mesh: ids.slice(0, 12),
    subscribers: ids,
    counts
  }))
  const ranges = Array.from({ length: 50_000 }, (_, i) => ({
    start: i,
    count: 512,
    status: 'AwaitingDownload',
    seconds: 1.5,
    attempts: 3,
    peers: [{ peer: idOf(i), seconds: 1.5, bytes: 1e9 }]
  }))
  world.sync = { ...world.sync, ranges }
  const validators = maker.validators.map(({ publicKey }) => publicKey)
  for (let height = 1; height <= 1200; height++) {
    const record = { kind: 'votes', height, seenAt: 5, validators, description: 'voted twice '.repeat(20), parts: [] }
    await world.ledger.saveEvidence(record, 'PREVOTE')
  }
  routes = routesOf(world)

  function event(metadata: { key: string; value: string }[]): CheckedEvent {
    const { genesis, actors } = maker
    made++
    return signEvent(genesis.hash, actors[made % actors.length] as (typeof actors)[0], {
      timestamp: maker.nextTimestamp - made,
      action: 'a',
      resource: { kind: 'k', id: 'one' },
      outcome: Outcome.SUCCESS,
      metadata
    })
  }
})
let made = 0
afterAll(() => world.close())

function idOf(i: number): string {
  return `12D3KooW${i.toString(36).padStart(44, 'a')}`
}

function noisyPeer(i: number): Partial<PeerView> {
  const fault = { code: 'SLOW', message: '\u0001'.repeat(200), at: 1 }
  return { peerId: idOf(i), userAgent: '\u0001'.repeat(8192), fault }
}

/** What to ask of each route that reads, and what lists its pages have. */
const READS: Record<string, { path: () => string; lists?: Record<string, number | (() => number)> }> = {
  'GET /health/live': { path: () => '/health/live' },
  'GET /health/ready': { path: () => '/health/ready' },
  'GET /v1/status': { path: () => '/v1/status' },
  'GET /v1/genesis': { path: () => '/v1/genesis' },
  'GET /v1/sync': { path: () => '/v1/sync' },
  'GET /v1/validators': { path: () => '/v1/validators' },
  'GET /v1/mempool': { path: () => '/v1/mempool' },
  'GET /v1/evidence': { path: () => '/v1/evidence', lists: { evidence: 1200 } },
  'GET /v1/peers': { path: () => '/v1/peers', lists: { peers: 3000, held: 4096 } },
  'GET /v1/gossip/topics': { path: () => '/v1/gossip/topics' },
  'GET /v1/gossip/stats': { path: () => '/v1/gossip/stats' },
  'GET /v1/blocks/latest': { path: () => '/v1/blocks/latest', lists: { events: 5000 } },
  'GET /v1/blocks/:id': { path: () => '/v1/blocks/1', lists: { events: 7 } },
  'GET /v1/headers/:height': { path: () => '/v1/headers/2' },
  'GET /v1/events': { path: () => '/v1/events?limit=1000', lists: { events: 5007 } },
  'GET /v1/events/:id': { path: () => `/v1/events/${largeId()}` },
  'GET /v1/checkpoint': { path: () => '/v1/checkpoint' },
  'GET /v1/proofs/events/:id': { path: () => `/v1/proofs/events/${largeId()}` },
  'GET /v1/proofs/headers/:height': { path: () => '/v1/proofs/headers/1' },
  'GET /v1/proofs/consistency': { path: () => '/v1/proofs/consistency?from=1' },
  'GET /v1/proofs/history': { path: () => '/v1/proofs/history?resource_kind=k&resource_id=one' }
}
let largeId = (): string => ''

describe('every route', () => {
  test('says how large its answers are and what bodies it takes', () => {
    for (const { name, bound, bodyLimit } of routes) {
      expect(bound.answerBytes, name).toBeGreaterThan(0)
      if (bound.shared !== true) expect(bound.answerBytes, name).toBeLessThanOrEqual(MAX_ANSWER_BYTES)
      if (name.startsWith('GET ')) continue
      expect(bodyLimit, name).toBeGreaterThan(0)
      expect(bodyLimit, name).toBeLessThanOrEqual(MAX_BODY_BYTES)
    }
    // A new route is to be asked for below, too.
    const reads = routes.filter(({ name }) => name.startsWith('GET ')).map(({ name }) => name)
    expect(Object.keys(READS).sort()).toEqual(reads.sort())
  })

  test('keeps to it when all there is to show is as large as it can be; pages go on to the end', async () => {
    const { body } = await world.get('/v1/blocks/1')
    largeId = () => body.events[0].event_id
    for (const { name, bound } of routes.filter((route) => route.name.startsWith('GET '))) {
      const { path, lists = {} } = READS[name] as (typeof READS)[string]
      const found: Record<string, number> = Object.fromEntries(Object.keys(lists).map((list) => [list, 0]))
      const sizes: number[] = []
      let [cursor, whole] = ['', 0]
      do {
        const query = cursor === '' ? '' : `${path().includes('?') ? '&' : '?'}cursor=${cursor}`
        const response = await fetch(`${world.url}${path()}${query}`)
        const text = await response.text()
        expect([200, 503], name).toContain(response.status)
        expect(Buffer.byteLength(text), name).toBeLessThanOrEqual(bound.answerBytes)
        const page = JSON.parse(text)
        for (const list of Object.keys(lists)) found[list] = (found[list] as number) + page[list].length
        cursor = page.next_cursor ?? ''
        sizes.push(Buffer.byteLength(text))
        whole += Buffer.byteLength(text)
      } while (cursor !== '')
      expect(found, name).toEqual(lists)
      // Few pages: they are as full as they may be.
      if (sizes.length > 1 && name !== 'GET /v1/events') expect(sizes.length, name).toBeLessThan(whole / 400_000 + 2)
    }
  })

  test('takes no body above its bound, and refuses one that is in the way of nothing else', async () => {
    for (const { name, bodyLimit } of routes.filter((route) => !route.name.startsWith('GET '))) {
      const [method = '', url = ''] = name.split(' ')
      const send = async (bytes: number) => {
        const init = { method, headers: { 'content-type': 'application/json' }, body: `"${'x'.repeat(bytes - 2)}"` }
        const response = await fetch(`${world.url}${url.replace(':peer_id', 'x')}`, init)
        return ((await response.json()) as { code: string }).code
      }
      expect(await send(bodyLimit as number), name).not.toBe('BODY_TOO_LARGE')
      expect(await send((bodyLimit as number) + 1), name).toBe('BODY_TOO_LARGE')
    }
  })
})

describe('a route', () => {
  test('without bounds is none: the API does not start', () => {
    const app = createApp(() => {})
    boundRoutes(app, createBudgets(), new Gate(1), silentLog)
    expect(() => app.get('/v1/new', () => 'x')).toThrow('GET /v1/new does not say how large its answers are')
    const config = { bound: { answerBytes: 1 } }
    expect(() => app.post('/v1/new', { config }, () => 'x')).toThrow(
      'POST /v1/new does not say how large a body may be'
    )
  })

  test('that answers more than it says fails, and the log says so', async () => {
    const errors: object[] = []
    const log: Log = { ...silentLog, error: (details) => errors.push(details) }
    const app = createApp(() => {})
    handleErrors(app, log)
    boundRoutes(app, createBudgets(), new Gate(1), log)
    const config = { bound: { answerBytes: 10 } }
    app.get('/v1/new', { config }, () => 'x'.repeat(10))
    app.get('/v1/longer', { config }, () => 'x'.repeat(11))
    expect((await app.inject('/v1/new')).body).toBe('x'.repeat(10))
    const response = await app.inject('/v1/longer')
    expect([response.statusCode, response.json().code]).toEqual([500, 'INTERNAL'])
    expect(errors).toEqual([{ method: 'GET', url: '/v1/longer', bytes: 11, answerBytes: 10 }])
  })
})

test('a result of each of 1000 events, whatever is wrong with it, is within the bound', async () => {
  const events = Array.from({ length: 1000 }, () => ({
    body: Buffer.from('\u0001'.repeat(2000)).toString('base64'),
    actor: toHex(new Uint8Array(32).fill(1)),
    signature: toHex(new Uint8Array(64).fill(1))
  }))
  const answer = await world.post({ events })
  expect(answer).toMatchObject({ status: 422, body: { code: 'EVENTS_REFUSED' } })
  expect(answer.body.results).toHaveLength(1000)
})
