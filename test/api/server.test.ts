import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { addressGroup } from '../../src/api/access.ts'
import { createApiServer, type ServerLimits } from '../../src/api/server.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { get, post, RawClient } from './support/raw-client.ts'
import { World } from './support/world.ts'

/** More than the system keeps of an answer that nobody reads. */
const LARGE = Buffer.alloc(16 << 20, 'x')
const PATIENCE = { timeout: 15_000 }

async function serve(handle: RequestListener, limits: Partial<ServerLimits> = {}): Promise<string> {
  const server = createApiServer(handle, limits)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('requests that are sent ahead of their answers', () => {
  test('are handled one at a time, in order, whatever comes in one write', async () => {
    let [atOnce, most] = [0, 0]
    const seen: string[] = []
    const url = await serve(async (request, response) => {
      most = Math.max(most, ++atOnce)
      seen.push(request.url ?? '')
      // Later ones would overtake.
      await delay(seen.length === 1 ? 20 : 0)
      response.end(request.url, () => atOnce--)
    })
    const paths = Array.from({ length: 120 }, (_, i) => `/${i}`)
    const client = (await RawClient.open(url)).send(paths.map(get).join(''))
    await expect.poll(() => client.answers.map(({ body }) => body), PATIENCE).toEqual(paths)
    expect(seen).toEqual(paths)
    expect(most).toBe(1)
  })

  test('wait for whoever does not take the answers; when nothing was taken for a while all are given up', async () => {
    let [handled, gone] = [0, 0]
    const url = await serve(
      (_, response) => {
        handled++
        response.once('close', () => gone++)
        response.end(LARGE)
      },
      { stallMs: 200 }
    )
    const client = (await RawClient.open(url)).halt().send(get('/').repeat(120))
    await expect.poll(() => gone, PATIENCE).toBe(1)
    client.socket.resume()
    await expect.poll(() => client.closed, PATIENCE).toBe(true)
    expect([handled, gone]).toEqual([1, 1])
    expect(client.received.length).toBeLessThan(LARGE.byteLength)
  })

  test('with bodies, cut into any parts', async () => {
    const world = await World.open({ blocks: 1 })
    const event = () => {
      const { body, actor, signature } = world.maker.event()
      return post('/v1/events', {
        body: Buffer.from(body).toString('base64'),
        actor: toHex(actor),
        signature: toHex(signature)
      })
    }
    for (const size of [1, 7, 100, 1e6]) {
      const text = `${get('/health/live')}${event()}${get('/v1/status')}${event()}${event()}${get('/v1/blocks/7')}`
      const client = await RawClient.open(world.url)
      for (let at = 0; at < text.length; at += size) {
        client.send(text.slice(at, at + size))
        await new Promise((resolve) => setImmediate(resolve))
      }
      await expect.poll(() => client.statuses, PATIENCE).toEqual([200, 202, 200, 202, 202, 404])
    }
  })

  test('are not even parsed before that: one behind a body of unknown length closes the connection', async () => {
    const url = await serve((_, response) => {
      // Answered later, when all that was sent is there.
      setTimeout(() => response.end('x'), 100)
    })
    const chunked = 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
    const [alone, followed] = [await RawClient.open(url), await RawClient.open(url)]
    alone.send(chunked)
    await expect.poll(() => alone.statuses, PATIENCE).toEqual([200])
    alone.send(chunked)
    await expect.poll(() => alone.statuses, PATIENCE).toEqual([200, 200])
    followed.send(`${chunked}${get('/')}`)
    await expect.poll(() => followed.closed, PATIENCE).toBe(true)
    expect(followed.statuses).toEqual([])
  })
})

describe('time', () => {
  test('one that is taken slowly is not, nor one that is waited for or has nothing to send now', async () => {
    const stallMs = 500
    const url = await serve(
      async (request, response) => {
        if (request.url === '/large') return response.end(LARGE)
        await delay(3 * stallMs)
        response.write('data: 1\n\n')
        await delay(3 * stallMs)
        response.end('data: 2\n\n')
      },
      { stallMs }
    )
    const [large, stream] = [await RawClient.open(url), await RawClient.open(url)]
    stream.send(get('/stream'))
    large.send(get('/large'))
    const drip = setInterval(() => {
      large.socket.resume()
      large.socket.once('data', () => large.socket.pause())
    }, 1)
    await expect.poll(() => stream.received, PATIENCE).toMatch(/data: 1\n\n.*data: 2\n\n/s)
    await expect.poll(() => large.received.length, PATIENCE).toBeGreaterThan(LARGE.byteLength)
    clearInterval(drip)
  })

  test('a connection on which nothing is asked is closed', async () => {
    const url = await serve((_, response) => response.end('x'), { stallMs: 100 })
    const silent = await RawClient.open(url)
    const begun = (await RawClient.open(url)).send('GET / HT')
    await expect.poll(() => silent.closed && begun.closed, PATIENCE).toBe(true)
  })
})

describe('places', () => {
  const limits = { sockets: 20, socketsAnAddress: 10, reservedSockets: 4, reservedMs: 60_000 }
  const held = (): { handle: RequestListener; waiting: (() => void)[]; release: () => void } => {
    const waiting: (() => void)[] = []
    return {
      waiting,
      handle: (request, response) => {
        if (request.url === '/held') waiting.push(() => response.end('held'))
        else response.end('ok')
      },
      release: () => {
        for (const answer of waiting) answer()
      }
    }
  }
  const open = (url: string, count: number, from?: string) =>
    Promise.all(Array.from({ length: count }, () => RawClient.open(url, from)))
  const answered = async (url: string, path: string, from?: string) => {
    const client = (await RawClient.open(url, from)).send(get(path))
    await expect.poll(() => client.statuses.length, PATIENCE).toBe(1)
    return client
  }

  test('idle connections keep nobody out: the longest idle leaves', async () => {
    const url = await serve(held().handle, limits)
    const idle = [...(await open(url, 10, '127.0.0.2')), ...(await open(url, 10, '127.0.0.3'))]
    // All are known to the server then, and this one was the last at work.
    for (const client of idle) client.send(get('/'))
    await expect.poll(() => idle.every(({ statuses }) => statuses.length === 1)).toBe(true)
    const used = idle[0] as RawClient
    used.send(get('/'))
    await expect.poll(() => used.statuses).toEqual([200, 200])
    for (let i = 0; i < 5; i++) expect((await answered(url, '/', '127.0.0.4')).statuses).toEqual([200])
    await expect.poll(() => idle.filter(({ closed }) => closed).length).toBe(5)
    expect(used.closed).toBe(false)
  })

  test('an address has its share, and those of others stay', async () => {
    const url = await serve(held().handle, limits)
    const others = await open(url, 5, '127.0.0.2')
    const many = await open(url, 100, '127.0.0.3')
    await expect.poll(() => many.filter(({ closed }) => closed).length).toBe(90)
    expect(others.some(({ closed }) => closed)).toBe(false)
    expect(many.slice(90).some(({ closed }) => closed)).toBe(false)
  })

  test('while all are at work /health is answered, and all else is told to come again', async () => {
    const { handle, waiting, release } = held()
    const url = await serve(handle, limits)
    const busy = [...(await open(url, 10, '127.0.0.2')), ...(await open(url, 10, '127.0.0.3'))]
    for (const client of busy) client.send(get('/held'))
    await expect.poll(() => waiting.length).toBe(20)
    // Silent ones take the reserved places, more than there are.
    const silent = await open(url, 10, '127.0.0.4')
    for (const from of ['127.0.0.2', '127.0.0.4']) {
      const health = await answered(url, '/health/live', from)
      expect(health.statuses).toEqual([200])
      await expect.poll(() => health.closed).toBe(true)
      const [refused] = (await answered(url, '/v1/status', from)).answers
      expect(refused?.head).toMatch(/^HTTP\/1\.1 503 .*retry-after: \d+/is)
      expect(refused?.head).toMatch(/connection: close/i)
      expect(JSON.parse(refused?.body ?? '')).toMatchObject({ status: 503, code: 'BUSY' })
    }
    expect(silent.slice(0, 6).every(({ closed }) => closed)).toBe(true)
    expect(busy.some(({ closed }) => closed)).toBe(false)
    release()
    await expect.poll(() => busy.every(({ statuses }) => statuses[0] === 200)).toBe(true)
    expect((await answered(url, '/v1/status')).statuses).toEqual([200])
  })

  test('a reserved one is for a short time', async () => {
    const { handle, waiting } = held()
    const url = await serve(handle, { ...limits, sockets: 1, reservedMs: 100 })
    const busy = (await RawClient.open(url)).send(get('/held'))
    await expect.poll(() => waiting.length).toBe(1)
    const silent = await open(url, 4)
    await expect.poll(() => silent.every(({ closed }) => closed), PATIENCE).toBe(true)
    expect(busy.closed).toBe(false)
  })

  test('1024 idle connections of one address, and as many that never take their answers', async () => {
    const world = await World.open({ blocks: 2 })
    const idle = await open(world.url, 1024)
    expect((await world.get('/health/live')).status).toBe(200)
    expect((await world.get('/v1/status')).status).toBe(200)
    await expect.poll(() => idle.filter(({ closed }) => !closed).length).toBeLessThanOrEqual(512)
    const greedy = await open(world.url, 300)
    for (const client of greedy) client.halt().send(get('/v1/events?limit=1000').repeat(20))
    expect((await answered(world.url, '/health/live')).statuses).toEqual([200])
    expect((await answered(world.url, '/v1/status', '127.0.0.2')).statuses).toEqual([200])
  })
})

test('of IPv6 a /64 is one address; IPv4 is the same however it comes', () => {
  expect(addressGroup('::ffff:10.1.2.3')).toBe('10.1.2.3')
  expect(addressGroup('10.1.2.3')).toBe('10.1.2.3')
  expect(addressGroup('2001:db8:1:2:3:4:5:6')).toBe(addressGroup('2001:db8:1:2::9'))
  expect(addressGroup('2001:db8:1:2::9')).not.toBe(addressGroup('2001:db8:1:3::9'))
  expect(addressGroup('fe80::1%eth0')).toBe(addressGroup('fe80::2'))
  expect(addressGroup('::1')).toBe('0:0:0:0')
})
