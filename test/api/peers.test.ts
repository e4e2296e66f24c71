import { expect, test } from 'vitest'
import { until } from '../network/support/hosts.ts'
import { connect, node, view } from '../network/support/nodes.ts'
import { World } from './support/world.ts'

/** An API over a real network with one peer. */
async function connected() {
  const [a, b] = [await node({ keySeed: 1 }), await node({ keySeed: 2 })]
  await connect(a, b)
  const world = await World.open()
  world.peerBook = a.network
  const call = async (method: string, path: string, body?: unknown) => {
    const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const response = await fetch(`${world.url}${path}`, { method, ...(body === undefined ? {} : json) })
    // biome-ignore lint/suspicious/noExplicitAny: answers of several shapes
    return { status: response.status, body: (await response.json()) as any }
  }
  return { a, b, world, call }
}

test('a peer is banned and let in again by an operator', async () => {
  const { a, b, call } = await connected()
  const path = `/v1/peers/${b.network.peerId}/ban`
  const before = Date.now()
  const banned = await call('POST', path, { seconds: 3600, reason: 'floods us' })
  expect(banned).toMatchObject({
    status: 200,
    body: { peer_id: b.network.peerId, verdict: 'ban', code: 'OPERATOR', message: 'floods us' }
  })
  expect(banned.body.until - before).toBeGreaterThanOrEqual(3_600_000)
  await until('the session to end', () => view(a, b) === undefined)
  expect((await call('GET', '/v1/peers')).body).toEqual({ peers: [], held: [banned.body], known: 1, next_cursor: null })
  expect(await call('POST', '/v1/peers', { address: b.address })).toMatchObject({
    status: 502,
    body: { code: 'DIAL_FAILED' }
  })

  expect(await call('DELETE', path)).toEqual({ status: 200, body: { peer_id: b.network.peerId } })
  expect((await call('GET', '/v1/peers')).body.held).toEqual([])
  expect(await call('DELETE', path)).toMatchObject({ status: 404, body: { code: 'NOT_BANNED' } })
  // It dialled that peer before, so it dials again by itself.
  await until('a new session', () => view(a, b) !== undefined)
  expect(await call('POST', '/v1/peers', { address: b.address })).toEqual({
    status: 200,
    body: { peer_id: b.network.peerId }
  })
})

test('what is no peer, no address or no time is refused in one line', async () => {
  const { a, call } = await connected()
  expect(await call('POST', '/v1/peers/nobody/ban', {})).toMatchObject({
    status: 400,
    body: { code: 'BAD_PEER_ID', detail: expect.stringMatching(/^nobody is no peer id; accepted: /) }
  })
  expect(await call('POST', `/v1/peers/${a.network.peerId}/ban`, {})).toMatchObject({
    status: 400,
    body: { detail: expect.stringContaining('is this node itself') }
  })
  expect(await call('POST', '/v1/peers', { address: 'nowhere' })).toMatchObject({
    status: 400,
    body: { code: 'BAD_ADDRESS' }
  })
  expect((await call('POST', '/v1/peers/nobody/ban', { seconds: 0 })).status).toBe(400)
  expect((await call('POST', '/v1/peers/nobody/ban', { minutes: 1 })).status).toBe(400)
  expect(a.network.held()).toEqual([])
})
