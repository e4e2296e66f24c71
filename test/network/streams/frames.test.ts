import type { Connection, Stream } from '@libp2p/interface'
import { encode } from 'it-length-prefixed'
import { describe, expect, it } from 'vitest'
import { RawBlocks } from '../../../src/codec/generated/sync.ts'
import { silentLog } from '../../../src/log.ts'
import type { Host } from '../../../src/network/libp2p.ts'
import { type RequestLimits, request, requestOne } from '../../../src/network/streams/client.ts'
import { frameLimit } from '../../../src/network/streams/frames.ts'
import { refusal } from '../../../src/network/streams/refusal.ts'
import { type Handler, serve } from '../../../src/network/streams/server.ts'
import { pair } from '../support/hosts.ts'

const PROTOCOL = '/test/1'
const LIMITS: RequestLimits = {
  maxFrameBytes: 1 << 20,
  firstByteMs: 300,
  frameMs: 400,
  answerMs: 2000,
  openMs: 2000,
  stallMs: 2000
}

/** A server that does with the raw stream what it likes. */
async function rogue(answer: (stream: Stream) => void): Promise<Connection> {
  const { connection, server } = await pair()
  await server.handle(PROTOCOL, (stream) => answer(stream))
  return connection
}

async function ask(connection: Connection, limits = LIMITS, signal?: AbortSignal): Promise<Uint8Array[]> {
  const answer: Uint8Array[] = []
  for await (const frame of request(connection, PROTOCOL, Uint8Array.of(1), limits, signal)) answer.push(frame)
  return answer
}

const FRAME = encode.single(Uint8Array.of(1, 2, 3)).subarray()

function openStreams(connection: Connection): number {
  return connection.streams.filter(({ protocol }) => protocol === PROTOCOL).length
}

describe('an answer that is none', () => {
  const cases: { name: string; code: string; answer: (stream: Stream) => void }[] = [
    {
      name: 'a declared length above the limit',
      code: 'FRAME_TOO_LARGE',
      answer: (stream) => void stream.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f))
    },
    {
      name: 'a declared length of 2^60',
      code: 'BAD_FRAME',
      answer: (stream) => void stream.send(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10))
    },
    {
      name: 'a length that never ends',
      code: 'BAD_FRAME',
      answer: (stream) => void stream.send(new Uint8Array(64).fill(0xff))
    },
    { name: 'no byte at all', code: 'PEER_TIMEOUT', answer: () => {} },
    {
      name: 'a first byte and nothing more',
      code: 'PEER_TIMEOUT',
      answer: (stream) => void stream.send(Uint8Array.of(100, 1))
    },
    {
      name: 'a frame that trickles',
      code: 'PEER_TIMEOUT',
      answer: (stream) => {
        stream.send(Uint8Array.of(200, 1))
        const timer = setInterval(() => {
          if (stream.status === 'open') stream.send(Uint8Array.of(7))
          else clearInterval(timer)
        }, 50)
      }
    },
    {
      name: 'a stream that ends in the middle of a frame',
      code: 'PEER_CLOSED',
      answer: (stream) => {
        stream.send(Uint8Array.of(100, 1, 2))
        void stream.close()
      }
    },
    {
      name: 'a stream that ends after the length',
      code: 'PEER_CLOSED',
      answer: (stream) => {
        stream.send(Uint8Array.of(100))
        void stream.close()
      }
    },
    { name: 'a reset', code: 'PEER_CLOSED', answer: (stream) => stream.abort(new Error('no')) },
    {
      name: 'a reset after a frame',
      code: 'PEER_CLOSED',
      answer: (stream) => {
        stream.send(FRAME)
        setTimeout(() => stream.abort(new Error('no')), 50)
      }
    }
  ]
  it.each(cases)('$name: $code, at once or in time, and the stream is gone', async ({ code, answer }) => {
    const connection = await rogue(answer)
    await expect(ask(connection)).rejects.toMatchObject({ name: 'MolochError', code })
    expect(openStreams(connection)).toBe(0)
  })

  it('many slow frames are bounded together', async () => {
    const connection = await rogue((stream) => {
      const timer = setInterval(() => {
        if (stream.status === 'open') stream.send(FRAME)
        else clearInterval(timer)
      }, 100)
    })
    await expect(ask(connection, { ...LIMITS, answerMs: 700 })).rejects.toMatchObject({ code: 'PEER_TIMEOUT' })
  })

  it('time that the caller takes is not the peer’s', async () => {
    const connection = await rogue((stream) => {
      stream.send(FRAME)
      stream.send(FRAME)
      void stream.close()
    })
    let got = 0
    for await (const _ of request(connection, PROTOCOL, Uint8Array.of(1), { ...LIMITS, frameMs: 60, answerMs: 100 })) {
      got += 1
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    expect(got).toBe(2)
  })

  it('nor is a stall of our own: what has come by then counts', async () => {
    const connection = await rogue((stream) => {
      stream.send(FRAME)
      void stream.close()
      const end = performance.now() + LIMITS.firstByteMs + 200
      while (performance.now() < end);
    })
    expect(await ask(connection)).toHaveLength(1)
  })

  it('trailing bytes after the only frame', async () => {
    const connection = await rogue((stream) => {
      stream.send(FRAME)
      stream.send(FRAME)
      void stream.close()
    })
    await expect(requestOne(connection, PROTOCOL, Uint8Array.of(1), LIMITS)).rejects.toMatchObject({
      code: 'BAD_FRAME'
    })
  })

  it('an end without the only frame', async () => {
    const connection = await rogue((stream) => void stream.close())
    const asked = requestOne(connection, PROTOCOL, Uint8Array.of(1), LIMITS)
    await expect(asked).rejects.toMatchObject({ code: 'PEER_CLOSED' })
  })

  it('a protocol that the peer does not speak', async () => {
    const { connection } = await pair()
    await expect(ask(connection)).rejects.toMatchObject({ code: 'PEER_UNSUPPORTED' })
  })

  it('a signal ends the wait, before, in and between frames', async () => {
    const connection = await rogue((stream) => void stream.send(FRAME))
    await expect(ask(connection, LIMITS, AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' })
    const controller = new AbortController()
    const answer = request(connection, PROTOCOL, Uint8Array.of(1), LIMITS, controller.signal)
    await answer.next()
    const more = answer.next()
    controller.abort()
    await expect(more).rejects.toMatchObject({ code: 'ABORTED' })
    expect(openStreams(connection)).toBe(0)
  })

  it('leaving the loop ends the stream', async () => {
    const connection = await rogue((stream) => void stream.send(FRAME))
    for await (const _ of request(connection, PROTOCOL, Uint8Array.of(1), LIMITS)) break
    expect(openStreams(connection)).toBe(0)
  })
})

describe('serving', () => {
  async function server(
    handle: Handler,
    more: { refuse?: boolean } = {}
  ): Promise<{ connection: Connection; host: Host }> {
    const { connection, server: host } = await pair()
    await host.handle(PROTOCOL, (stream, from) =>
      serve(stream, from, {
        protocol: PROTOCOL,
        handle,
        admit: () =>
          more.refuse ? { refused: refusal('RATE_LIMITED', 'slowly', 1234) } : { charge: () => {}, leave: () => {} },
        limits: { maxFrameBytes: 100, firstByteMs: 200, frameMs: 200, answerMs: 400, stallMs: 2000, graceMs: 200 },
        maxAnswerFrameBytes: 1 << 20,
        log: silentLog
      })
    )
    return { connection, host }
  }

  /** Writes these bytes as the request and reads the refusal. */
  async function refused(connection: Connection, bytes: Uint8Array, close = true): Promise<string> {
    const stream = await connection.newStream(PROTOCOL)
    if (bytes.byteLength > 0) stream.send(bytes)
    if (close) await stream.close()
    let frame = new Uint8Array(0)
    for await (const chunk of stream) frame = new Uint8Array([...frame, ...chunk.subarray()])
    return RawBlocks.decode(frame.subarray(1)).refusal?.code ?? 'none'
  }

  const bad: { name: string; bytes: Uint8Array; close?: boolean; code?: string }[] = [
    { name: 'oversize', bytes: Uint8Array.of(0xff, 0x7f) },
    { name: 'trailing garbage', bytes: new Uint8Array([...FRAME, 9]) },
    { name: 'two requests', bytes: new Uint8Array([...FRAME, ...FRAME]) },
    { name: 'half a frame', bytes: FRAME.subarray(0, 2) },
    { name: 'nothing', bytes: new Uint8Array(0) },
    { name: 'nothing, left open', bytes: new Uint8Array(0), close: false, code: 'UNAVAILABLE' },
    { name: 'a request, left open', bytes: FRAME, close: false, code: 'UNAVAILABLE' }
  ]
  it.each(bad)(
    'a bad request ($name) is refused with a frame and holds no stream',
    async ({ bytes, close, code = 'BAD_REQUEST' }) => {
      const { connection, host } = await server(() => [Uint8Array.of(1)])
      expect(await refused(connection, bytes, close)).toBe(code)
      const inbound = host
        .getConnections()
        .flatMap(({ streams }) => streams.filter(({ protocol }) => protocol === PROTOCOL))
      for (const stream of inbound) {
        if (stream.status === 'open') await new Promise((resolve) => stream.addEventListener('close', resolve))
      }
      expect(host.getConnections()).toHaveLength(1)
    }
  )

  it('a refusal is a frame with its code and when to come back', async () => {
    const { connection } = await server(() => [], { refuse: true })
    const frames = await ask(connection)
    expect(RawBlocks.decode(frames[0] as Uint8Array).refusal).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: 1234
    })
  })

  it('a handler that breaks says UNAVAILABLE and nothing of why', async () => {
    const { connection } = await server(() => {
      throw new Error('secret path /var/x')
    })
    const frames = await ask(connection)
    const { refusal: said } = RawBlocks.decode(frames[0] as Uint8Array)
    expect(said?.code).toBe('UNAVAILABLE')
    expect(said?.message).not.toContain('secret')
  })

  it('a peer that leaves in the middle ends the handler', async () => {
    let ended = false
    const { connection } = await server(async function* () {
      try {
        for (;;) yield new Uint8Array(1 << 19)
      } finally {
        ended = true
      }
    })
    for await (const _ of request(connection, PROTOCOL, Uint8Array.of(1), LIMITS)) break
    await expect.poll(() => ended).toBe(true)
  })

  it('an answer’s frame is a buffer of its own', async () => {
    const { connection } = await server(() => [Uint8Array.of(1, 2), Uint8Array.of(3)])
    const frames = await ask(connection)
    expect(frames.map((frame) => [...frame])).toEqual([[1, 2], [3]])
    expect(frames.every((frame) => frame.buffer.byteLength === frame.byteLength)).toBe(true)
  })
})

describe('the frame limit', () => {
  it('is 1 MiB, or what a block and its commit need', () => {
    expect(frameLimit(4096)).toBe(1 << 20)
    expect(frameLimit(1 << 20)).toBe((1 << 20) + (64 << 10))
    expect(frameLimit(2 << 20)).toBe((2 << 20) + (64 << 10))
  })
})
