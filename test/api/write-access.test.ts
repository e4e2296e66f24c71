import { Agent, request } from 'node:http'
import { networkInterfaces } from 'node:os'
import { afterAll, describe, expect, test } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { World } from './support/world.ts'

const agent = new Agent({ keepAlive: true, maxSockets: 1 })
afterAll(() => agent.destroy())

const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
const lan = addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address
const hasIpv6 = addresses.some(({ family }) => family === 'IPv6')

/** Without a token. Whether the listener is for this machine only. */
const LISTENERS = [
  { host: '127.0.0.1', local: true },
  { host: '::1', local: true },
  { host: 'localhost', local: true },
  { host: '0.0.0.0', local: false },
  { host: '::', local: false }
]

/** `PORT` stands for the API's. */
const HOSTS = [
  { name: '127.0.0.1:PORT', here: true },
  { name: 'localhost:PORT', here: true },
  { name: 'LOCALHOST:9000', here: true },
  { name: '[::1]:PORT', here: true },
  { name: '[::ffff:127.0.0.1]:PORT', here: true },
  { name: '0.0.0.0:PORT', here: true },
  { name: 'evil.example:PORT', here: false },
  { name: 'localhost.evil.example', here: false },
  { name: 'localhost@evil.example', here: false },
  { name: '192.0.2.77:PORT', here: false },
  { name: '127.1', here: false }
]

/** `HOST` stands for what the Host header says. */
const ORIGINS: { headers: Record<string, string>; own: boolean }[] = [
  { headers: {}, own: true },
  { headers: { origin: 'http://HOST' }, own: true },
  { headers: { 'sec-fetch-site': 'same-origin' }, own: true },
  { headers: { origin: 'http://evil.example' }, own: false },
  { headers: { origin: 'http://HOST.evil.example' }, own: false },
  { headers: { origin: 'null' }, own: false },
  { headers: { 'sec-fetch-site': 'cross-site' }, own: false }
]

const CALLS = [
  { method: 'GET', path: '/v1/status', writes: false },
  { method: 'HEAD', path: '/v1/status', writes: false },
  { method: 'POST', path: '/v1/events', writes: true },
  { method: 'DELETE', path: '/v1/peers/x/ban', writes: true },
  { method: 'PUT', path: '/v1/nothing', writes: true }
]

/** A HEAD has a status only. */
const REFUSALS = new Set(['HOST_REFUSED', 'ORIGIN_REFUSED', 'FORBIDDEN', 'UNAUTHORIZED', '403'])

describe.each(LISTENERS)('without a token, on $host', ({ host, local }) => {
  test.skipIf(host.includes(':') && !hasIpv6).each([false, true])(
    'public = %s: who may do what under which Host and Origin',
    async (isPublic) => {
      if (!local && !isPublic) {
        await expect(World.open({ api: { host }, listen: false })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
        return
      }
      const { world, touched } = await open({ host, public: isPublic })
      for (const { name, here } of HOSTS) {
        for (const { headers, own } of ORIGINS) {
          for (const { method, path, writes } of CALLS) {
            const row = `${method} ${path} ${name} ${JSON.stringify(headers)}`
            const code = await codeOf(world.url, method, path, name, headers)
            const expected = writes ? here && own : isPublic || here
            expect(REFUSALS.has(code) ? 'refused' : 'let in', row).toBe(expected ? 'let in' : 'refused')
            if (writes && !here) expect(code, row).toBe('HOST_REFUSED')
            if (writes && here && !own) expect(code, row).toBe('ORIGIN_REFUSED')
            if (!expected) expect(touched(), row).toBe(0)
          }
        }
      }
    }
  )
})

test('who comes by a proxy on this machine is not on this machine', async () => {
  const { world, touched } = await open({ host: '127.0.0.1', public: true })
  for (const header of ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via']) {
    expect(await codeOf(world.url, 'POST', '/v1/peers', 'localhost', { [header]: '203.0.113.9' })).toBe('FORBIDDEN')
    expect(await codeOf(world.url, 'GET', '/v1/status', 'localhost', { [header]: '203.0.113.9' })).toBe('200')
  }
  expect(touched()).toBe(0)
})

test.skipIf(lan === undefined)('an address of the network is not this machine, whatever Host says', async () => {
  const { world, touched } = await open({ host: '0.0.0.0', public: true })
  const url = world.url.replace('0.0.0.0', String(lan))
  expect(await codeOf(url, 'POST', '/v1/peers', 'localhost')).toBe('FORBIDDEN')
  expect(await codeOf(url, 'GET', '/v1/status', 'anything')).toBe('200')
  expect(touched()).toBe(0)
})

test('with the token no name and no origin matters, and without it none helps', async () => {
  const { world } = await open({ host: '127.0.0.1', token: 'secret' })
  const foreign = { origin: 'https://tools.example' }
  const authorization = 'Bearer secret'
  expect(await codeOf(world.url, 'DELETE', '/v1/peers/x/ban', 'node.example', { ...foreign, authorization })).toBe(
    'NOT_BANNED'
  )
  expect(await codeOf(world.url, 'GET', '/v1/status', 'node.example', { authorization })).toBe('200')
  expect(await codeOf(world.url, 'DELETE', '/v1/peers/x/ban', 'localhost')).toBe('UNAUTHORIZED')
  expect(await codeOf(world.url, 'GET', '/v1/status', 'node.example')).toBe('HOST_REFUSED')
})

test('what a form of a web page can send is taken by no route', async () => {
  const { world, touched } = await open({ host: '127.0.0.1' })
  const { body, actor, signature } = world.maker.event()
  const json = JSON.stringify({
    body: Buffer.from(body).toString('base64'),
    actor: toHex(actor),
    signature: toHex(signature)
  })
  for (const path of ['/v1/events', '/v1/peers', '/v1/peers/x/ban']) {
    for (const type of [
      undefined,
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=b'
    ]) {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      for (const text of [json, '', '{}']) {
        const code = await codeOf(world.url, 'POST', path, 'localhost', headers, text)
        expect(['UNSUPPORTED_MEDIA_TYPE', 'BAD_REQUEST'], `${path} ${type} ${text}`).toContain(code)
      }
    }
  }
  expect(touched()).toBe(0)
})

test('an Origin in every form', async () => {
  const { world, touched } = await open({ host: '127.0.0.1' })
  const origins = ['http://127.0.0.1:1', '', 'chrome-extension://abcdef', 'null', 'http://localhost@evil.example', 'x']
  for (const headers of [...origins.map((origin) => ({ origin })), { 'sec-fetch-site': 'same-site' }]) {
    expect(await codeOf(world.url, 'POST', '/v1/peers', 'localhost:PORT', headers)).toBe('ORIGIN_REFUSED')
  }
  expect(touched()).toBe(0)
  expect(await codeOf(world.url, 'POST', '/v1/peers', 'localhost', { 'sec-fetch-site': 'none' })).toBe('BAD_REQUEST')
})

/** A world in which every write is counted. */
async function open(api: { host: string; public?: boolean; token?: string }) {
  const world = await World.open({ api })
  let writes = 0
  const wrote = (): never => {
    writes++
    throw new Error('a write')
  }
  world.peerBook = { held: () => [], knownPeers: 0, dial: wrote, ban: wrote, unban: () => false }
  return { world, touched: () => writes + world.mempool.stats().events }
}

/** The problem's code, or the status where there is none. */
function codeOf(
  url: string,
  method: string,
  path: string,
  host: string,
  headers: Record<string, string> = {},
  body = ''
): Promise<string> {
  const { port, hostname } = new URL(url)
  const name = host.replace('PORT', port)
  const sent = Object.entries(headers).map(([key, value]) => [key, value.replace('HOST', name)])
  return new Promise((resolve, reject) => {
    const options = { method, path, port, host: hostname.replace(/^\[|\]$/g, ''), agent }
    const call = request({ ...options, headers: { ...Object.fromEntries(sent), host: name } }, (response) => {
      let text = ''
      response.on('data', (part) => {
        text += part
      })
      response.on('end', () => {
        const { code } = text.startsWith('{') ? (JSON.parse(text) as { code?: string }) : {}
        resolve(code ?? String(response.statusCode))
      })
    })
    call.on('error', reject)
    call.end(body)
  })
}
