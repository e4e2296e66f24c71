import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { assertBinding, isLoopback } from '../../src/api/access.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { World } from './support/world.ts'

test('loopback', () => {
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', 'localhost']) expect(isLoopback(host)).toBe(true)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'example.org', 'localhost.example.org']) {
    expect(isLoopback(host)).toBe(false)
  }
})

describe('binding beyond loopback', () => {
  const closed = { host: '0.0.0.0', token: '', public: false }
  test('needs a token or to be public', () => {
    expect(() => assertBinding(closed)).toThrow(/api\.host is 0\.0\.0\.0.*api\.token.*api\.public = true/)
    assertBinding({ ...closed, token: 't' })
    assertBinding({ ...closed, public: true })
    assertBinding({ ...closed, host: '::1' })
  })

  test('is refused before anything listens', async () => {
    await expect(World.open({ api: closed, listen: false })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
  })
})

function event(world: World) {
  const { body, actor, signature } = world.maker.event()
  return { body: Buffer.from(body).toString('base64'), actor: toHex(actor), signature: toHex(signature) }
}

describe('the token', () => {
  test('is needed for writes, and not for reads, on loopback', async () => {
    const world = await World.open({ api: { token: 'secret' } })
    const refused = await world.post(event(world))
    expect(refused.body).toMatchObject({ status: 401, code: 'UNAUTHORIZED' })
    expect(refused.headers.get('www-authenticate')).toBe('Bearer')
    for (const authorization of ['Bearer wrong', 'Bearer ', 'secret', 'Basic secret']) {
      expect((await world.post(event(world), { headers: { authorization } })).status).toBe(401)
    }
    expect(world.mempool.stats().events).toBe(0)
    const headers = { authorization: 'Bearer secret' }
    expect((await world.post(event(world), { headers })).status).toBe(202)
    expect((await world.get('/v1/status')).status).toBe(200)
  })
})

describe('a name that resolves to this machine', () => {
  test('is refused unless the API is public', async () => {
    const world = await World.open()
    expect(await statusFor(world.url, 'evil.example:8645')).toBe(403)
    expect(await statusFor(world.url, 'localhost:8645')).toBe(200)
    expect(await statusFor(world.url, '[::1]:8645')).toBe(200)
    const open = await World.open({ api: { public: true } })
    expect(await statusFor(open.url, 'node.example')).toBe(200)
  })
})

test('a port in use is one line that names the setting', async () => {
  const server: Server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    await expect(World.open({ api: { port } })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}: in use; set api\\.port`))
    })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
})

/** fetch would put its own Host. */
function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(`${url}/v1/status`, { headers: { host } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
}
