import { createHash } from 'node:crypto'
import type { Stream } from '@libp2p/interface'
import { pipe } from 'it-pipe'
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../src/log.ts'
import type { Host } from '../../../src/network/libp2p.ts'
import { request } from '../../../src/network/streams/client.ts'
import { frames } from '../../../src/network/streams/frames.ts'
import { serve } from '../../../src/network/streams/server.ts'
import { sink } from '../../../src/network/streams/sink.ts'
import { type Chunk, StreamSource } from '../../../src/network/streams/source.ts'
import { Random } from '../../support/random.ts'
import { pair, settled, until } from '../support/hosts.ts'

const MIB = 1 << 20
const PROTOCOL = '/test/1'
const LIMITS = {
  maxFrameBytes: MIB,
  firstByteMs: 5000,
  frameMs: 5000,
  answerMs: 20_000,
  openMs: 5000,
  stallMs: 10_000,
  graceMs: 2000
}
/** One yamux window in the reader's stream, one more handed over at once, one chunk under way, and the sockets between. */
const MOST_IN_FLIGHT = 9 * MIB

async function incoming(server: Host): Promise<{ next: () => Promise<Stream> }> {
  const waiting: Stream[] = []
  await server.handle(PROTOCOL, (stream) => {
    waiting.push(stream)
  })
  return {
    next: async () => {
      await until('a stream', () => waiting.length > 0)
      return waiting.shift() as Stream
    }
  }
}

async function* chunks(count: number, size: number, taken: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i += 1) {
    taken((i + 1) * size)
    yield new Uint8Array(size).fill(i)
  }
}

describe('back-pressure on connected nodes', () => {
  it('a slow consumer bounds what the sender has accepted, and gets all of it in the end', async () => {
    const { connection, server } = await pair()
    const streams = await incoming(server)
    const out = await connection.newStream(PROTOCOL)
    let accepted = 0
    const sent = pipe(
      chunks(64, MIB, (bytes) => {
        accepted = bytes
      }),
      sink(out, LIMITS)
    )
    const stream = await streams.next()
    const reader = new StreamSource(stream)[Symbol.asyncIterator]()
    const first = (await reader.next()).value as Chunk
    // The consumer is busy: the sender must come to a halt.
    const halted = await settled(() => accepted)
    expect(halted).toBeLessThan(MOST_IN_FLIGHT)
    expect(out.writeBufferLength).toBeLessThanOrEqual(MIB)
    expect(out.status).toBe('open')

    let got = first.byteLength
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) got += next.value.byteLength
    await sent
    expect(got).toBe(64 * MIB)
  })

  it('bounds the reader too: what it holds unread stays below two windows and the high-water mark', async () => {
    const { connection, server } = await pair()
    const streams = await incoming(server)
    const out = await connection.newStream(PROTOCOL)
    const sent = pipe(
      chunks(32, MIB, () => {}),
      sink(out, LIMITS)
    )
    const input = new StreamSource(await streams.next())
    let most = 0
    let got = 0
    for await (const chunk of input) {
      got += chunk.byteLength
      most = Math.max(most, input.bufferedBytes)
      await settled(() => input.bufferedBytes, 10)
    }
    await sent
    expect(got).toBe(32 * MIB)
    expect(most).toBeLessThan(5 * MIB)
  })

  it('a slow reader bounds what the server buffers of an answer', async () => {
    const { client, connection, server } = await pair()
    expect(client.status).toBe('started')
    let made = 0
    await server.handle(PROTOCOL, (stream, from) =>
      serve(stream, from, {
        protocol: PROTOCOL,
        handle: () => chunks(64, MIB - 100, () => (made += 1)),
        admit: () => ({ charge: () => {}, leave: () => {} }),
        limits: { ...LIMITS, maxFrameBytes: 1024 },
        maxAnswerFrameBytes: MIB,
        log: silentLog
      })
    )
    const answer = request(connection, PROTOCOL, new Uint8Array(1), LIMITS)
    await answer.next()
    expect(await settled(() => made)).toBeLessThan(MOST_IN_FLIGHT / MIB)
    let frames = 1
    for await (const frame of answer) {
      expect(frame[0]).toBe(frames)
      frames += 1
    }
    expect(frames).toBe(64)
  })

  it('carries every byte in order whatever the pace of reading and the size of chunks', async () => {
    const random = new Random(Number(process.env.MOLOCH_SEED ?? 7))
    const { connection, server } = await pair()
    const streams = await incoming(server)
    for (let run = 0; run < 3; run += 1) {
      const out = await connection.newStream(PROTOCOL)
      const wrote = createHash('sha256')
      async function* source(): AsyncGenerator<Uint8Array> {
        for (let left = 12 * MIB; left > 0; ) {
          const chunk = random.bytes(1024)
          const part = new Uint8Array(Math.min(left, 1 + random.below(random.pick([64, 4096, MIB])))).fill(
            chunk[0] ?? 0
          )
          part.set(chunk.subarray(0, Math.min(part.length, chunk.length)))
          left -= part.byteLength
          wrote.update(part)
          yield part
        }
      }
      const sent = pipe(source(), sink(out, LIMITS))
      const read = createHash('sha256')
      for await (const chunk of new StreamSource(await streams.next())) {
        read.update(chunk.subarray())
        if (random.below(20) === 0) await new Promise((resolve) => setTimeout(resolve, random.below(15)))
      }
      await sent
      expect(read.digest('hex')).toBe(wrote.digest('hex'))
    }
  })

  it('reads what was written and closed before it looked', async () => {
    const { connection, server } = await pair()
    const streams = await incoming(server)
    const out = await connection.newStream(PROTOCOL)
    await pipe([new Uint8Array(1000)], frames(MIB), sink(out, LIMITS))
    const stream = await streams.next()
    await until('the end of writing', () => stream.remoteWriteStatus === 'closed')
    let got = 0
    for await (const chunk of new StreamSource(stream)) got += chunk.byteLength
    expect(got).toBe(1002)
    // And again, when there is nothing left to come.
    let none = 0
    for await (const chunk of new StreamSource(stream)) none += chunk.byteLength
    expect(none).toBe(0)
  })

  it('a reader that never reads costs the writer its time-out, and a code', async () => {
    const { connection, server } = await pair()
    await server.handle(PROTOCOL, (stream) => stream.pause())
    const out = await connection.newStream(PROTOCOL)
    const sending = pipe(
      chunks(64, MIB, () => {}),
      sink(out, { stallMs: 200 })
    )
    await expect(sending).rejects.toMatchObject({ code: 'PEER_TIMEOUT' })
  })

  it('a stream that is reset or a connection that goes ends both sides with a code', async () => {
    const { connection, server } = await pair()
    const streams = await incoming(server)
    const out = await connection.newStream(PROTOCOL)
    const sending = pipe(
      chunks(64, MIB, () => {}),
      sink(out, LIMITS)
    )
    const stream = await streams.next()
    const reader = new StreamSource(stream)[Symbol.asyncIterator]()
    await reader.next()
    stream.abort(new Error('enough'))
    await expect(sending).rejects.toMatchObject({ code: 'PEER_CLOSED' })

    const other = await connection.newStream(PROTOCOL)
    const answer = (async () => {
      for await (const _ of new StreamSource(other));
    })()
    await streams.next()
    connection.abort(new Error('gone'))
    await expect(answer).rejects.toThrow()
  })
})
