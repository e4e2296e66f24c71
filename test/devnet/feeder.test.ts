import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { ApiClient } from '../../src/devnet/api-client.ts'
import type { EventInput } from '../../src/devnet/event-input.ts'
import { synthetic } from '../../src/devnet/event-sources.ts'
import { Feeder } from '../../src/devnet/feeder.ts'
import { freePorts } from '../../src/devnet/ports.ts'
import { waitUntil } from '../support/until.ts'

interface Posted {
  readonly events: { readonly body: string; readonly actor: string; readonly signature: string }[]
}
type Answer = (posted: Posted, request: number) => { status: number; results: unknown[] }

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** Something that answers POST /v1/events as the API does, in the ways that a healthy node seldom does. */
async function node(answer: Answer): Promise<{ api: ApiClient; signatures: string[][] }> {
  const signatures: string[][] = []
  const server: Server = createServer(async (request, response) => {
    const posted = (await json(request)) as Posted
    signatures.push(posted.events.map((event) => event.signature))
    const { status, results } = answer(posted, signatures.length)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code: 'X', results }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  closers.push(() => new Promise((done) => server.close(() => done())))
  return { api: new ApiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), signatures }
}

const each = (posted: Posted, result: unknown) => posted.events.map(() => result)
const final: Answer = (posted) => ({ status: 200, results: each(posted, { event_id: '', status: 'finalized' }) })

async function* some(count: number): AsyncGenerator<EventInput> {
  for (const event of synthetic(1)) {
    if (count-- === 0) return
    yield event
  }
}

function feeder(
  targets: readonly ApiClient[],
  count: number,
  rate: number,
  refused: string[] = [],
  mostOpen = 1000
): Feeder {
  const options = { events: some(count), rate, mostOpen, genesisHash: new Uint8Array(32), seed: 1, targets }
  const feeder = new Feeder({ ...options, onRefused: ({ code }) => refused.push(code) })
  closers.unshift(() => feeder.stop())
  feeder.start()
  return feeder
}

test('what is refused for now, or not final in time, is submitted again, the same bytes, until it is final', async () => {
  const { api, signatures } = await node((posted, request) => {
    if (request === 1) return { status: 503, results: each(posted, { code: 'MEMPOOL_FULL', message: '' }) }
    if (request === 2) return { status: 202, results: each(posted, { event_id: '', status: 'pending' }) }
    return final(posted, request)
  })
  const fed = feeder([api], 40, 1000)
  await waitUntil(() => fed.stats().finalized === 40, { timeout: 10_000 })
  expect(fed.stats()).toMatchObject({ submitted: 40, refused: 0 })
  expect(fed.stats().p50).toBeGreaterThanOrEqual(0)
  expect(signatures[1]).toEqual(expect.arrayContaining(signatures[0] as string[]))
  expect(new Set(signatures.flat()).size).toBe(40)
})

test('what no node would take later either is counted, and said once', async () => {
  const { api } = await node((posted) => ({
    status: 422,
    results: each(posted, { code: 'EVENT_OUTSIDE_WINDOW', message: 'too old' })
  }))
  const refused: string[] = []
  const fed = feeder([api], 30, 200, refused)
  await waitUntil(() => fed.stats().refused === 30, { timeout: 10_000 })
  expect(refused).toEqual(['EVENT_OUTSIDE_WINDOW'])
})

test('a node that does not answer is left alone for a while; the others get its events', async () => {
  const [dead] = await freePorts(1)
  const { api, signatures } = await node(final)
  const refused: string[] = []
  const fed = feeder([new ApiClient(`http://127.0.0.1:${dead}`), api], 100, 200, refused)
  await waitUntil(() => fed.stats().finalized === 100, { timeout: 10_000 })
  expect(new Set(signatures.flat()).size).toBe(100)
  expect(refused).toEqual(['API_UNREACHABLE'])
})

test('events that are not final hold back new ones', async () => {
  const { api, signatures } = await node((posted) => ({
    status: 202,
    results: each(posted, { event_id: '', status: 'pending' })
  }))
  const fed = feeder([api], 10_000, 5000, [], 300)
  await waitUntil(() => signatures.flat().length > 1500, { timeout: 10_000 })
  expect(fed.stats()).toMatchObject({ submitted: 300, finalized: 0, refused: 0 })
})
