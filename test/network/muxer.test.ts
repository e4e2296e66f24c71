import { connect as connectSocket } from 'node:net'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { makeGetBlocks } from '../../src/network/streams/blocks.ts'
import { host, until } from './support/hosts.ts'
import { ChainPorts, connect, node, type TestNode, view } from './support/nodes.ts'
import { framed } from './support/rpcs.ts'

/** What a test asks of the classes that their interfaces have not. */
interface Inside extends Connection {
  readonly maConn: { readonly socket: { pause(): void } }
  readonly muxer: {
    readonly maConn: { send(bytes: Uint8Array): boolean }
    sendPing(id: number): void
    handlePingResponse(id: number): void
    createStream(): Promise<Stream>
    maxInboundStreams: number
    streamOptions: object
  }
}

function connectionOf(from: TestNode): Inside {
  const [connection] = (from.network as Libp2pNetwork).host?.getConnections() ?? []
  if (connection === undefined) throw new Error('not connected')
  return connection as Inside
}

/** Opens streams that stay open. @returns those that were not refused */
async function open(connection: Connection, count: number): Promise<Stream[]> {
  const opened: Stream[] = []
  for (let i = 0; i < count && connection.status === 'open'; i += 1) {
    const options = { maxOutboundStreams: 10_000, signal: AbortSignal.timeout(2000) }
    await connection.newStream('/moloch/hello/1', options).then(
      (stream) => opened.push(stream),
      () => {}
    )
  }
  return opened
}

/** So many times, in the words of multistream, a protocol that nobody speaks. */
function asking(times: number): Uint8Array {
  return Buffer.concat(Array.from({ length: times }, () => Buffer.from('\x03/x\n')))
}

const occurrences = (bytes: Uint8Array, words: string): number =>
  Buffer.from(bytes).toString('latin1').split(words).length - 1

it('a connection before Noise ends when it asks for one protocol after the other', async () => {
  const target = await node({ settings: { dialMs: 60_000 } })
  const socket = connectSocket({ port: Number(/\/tcp\/(\d+)/.exec(target.address)?.[1]), host: '127.0.0.1' })
  let said = ''
  socket.setEncoding('latin1').on('data', (text) => {
    said += text
  })
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(asking(10_000))
  await closed
  expect(said.split('na\n').length - 1).toBeLessThanOrEqual(16)
})

describe('the streams of a connection', () => {
  it('are few before hello, at once and in all', async () => {
    const target = await node({ settings: { handshakeMs: 60_000, requestMs: 60_000 } })
    const stranger = await host()
    await stranger.handle('/moloch/hello/1', () => {})
    const connection = await stranger.dial(multiaddr(target.address))
    const opened = await open(connection, 12)
    expect(opened).toHaveLength(8)
    expect(connection.status).toBe('open')
    for (let i = 0; i < 100 && connection.status === 'open'; i += 1) {
      for (const stream of opened.splice(0)) stream.abort(new Error('next'))
      opened.push(...(await open(connection, 4)))
    }
    await until('the end', () => connection.status !== 'open')
  })

  it('may be many after it, with large windows', async () => {
    const [a, b] = [await node(), await node({ settings: { requestMs: 60_000 } })]
    await connect(a, b)
    const opened = await open(connectionOf(a), 60)
    expect(opened.length).toBeGreaterThan(50)
    const { maxInboundStreams, streamOptions } = connectionOf(b).muxer
    expect({ maxInboundStreams, streamOptions }).toEqual({
      maxInboundStreams: 256,
      streamOptions: { maxStreamWindowSize: 2 << 20, maxReadBufferLength: 4 << 20 }
    })
    for (const stream of connectionOf(b).streams) expect(stream).toMatchObject({ maxReadBufferLength: 4 << 20 })
  })

  it('end when the peer makes us answer and does not read', async () => {
    class LargeBlocks extends ChainPorts {
      override async *readBlocks(): AsyncGenerator<Uint8Array> {
        for (let i = 0; i < 16; i += 1) yield new Uint8Array(1 << 20)
      }
    }
    const target = await node({ ports: new LargeBlocks(20), settings: { maxUnsentBytes: 256 << 10, stallMs: 60_000 } })
    const attacker = await node()
    await connect(attacker, target)
    const connection = connectionOf(attacker)
    const protocol = (attacker.network as Libp2pNetwork).host?.getProtocols().find((one) => one.includes('/blocks/'))
    for (let i = 0; i < 4; i += 1) {
      const stream = await connection.newStream(protocol as string)
      stream.send(framed(makeGetBlocks(1, 20)))
      await stream.close()
    }
    connection.maConn.socket.pause()
    // Pings of Yamux: each is answered, and the answers wait.
    let pings = 0
    await until('the end', () => {
      for (let i = 0; i < 1000 && connection.status === 'open'; i += 1) connection.muxer.sendPing(pings++)
      return view(target, attacker) === undefined
    })
    expect(pings).toBeLessThan(1_000_000)
  })

  it('wait for no frame that is longer than a window', async () => {
    const target = await node({ settings: { handshakeMs: 60_000 } })
    const stranger = await host()
    await stranger.handle('/moloch/hello/1', () => {})
    const connection = (await stranger.dial(multiaddr(target.address))) as Inside
    // Data of stream 1, as many bytes as there can be.
    connection.muxer.maConn.send(Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]))
    let sent = 0
    const chunk = new Uint8Array(64 << 10)
    await until('the end', () => {
      if (connection.status !== 'open') return true
      connection.muxer.maConn.send(chunk)
      sent += chunk.byteLength
      return false
    })
    expect(sent).toBeLessThan(64 << 20)
  })

  /** A peer that never passes hello. */
  async function stranger(): Promise<Inside> {
    const target = await node({ settings: { handshakeMs: 60_000, openMs: 60_000 } })
    const peer = await host()
    await peer.handle('/moloch/hello/1', () => {})
    return (await peer.dial(multiaddr(target.address))) as Inside
  }

  it('end when the peer pings on and on, and few are answered', async () => {
    const connection = await stranger()
    let answered = 0
    connection.muxer.handlePingResponse = () => {
      answered += 1
    }
    let sent = 0
    await until('the end', () => {
      for (let i = 0; i < 50 && connection.status === 'open'; i += 1) connection.muxer.sendPing(sent++)
      return connection.status !== 'open'
    })
    expect(answered).toBeLessThan(100)
  })

  it('end when frames come that say nothing', async () => {
    const connection = await stranger()
    // A window update of no bytes, of a stream that there is not.
    const frame = [0, 1, 0, 0, 0, 0, 0, 99, 0, 0, 0, 0]
    const many = Uint8Array.from(Array.from({ length: 1000 }, () => frame).flat())
    let sent = 0
    await until('the end', () => {
      if (connection.status === 'open') connection.muxer.maConn.send(many)
      sent += 1000
      return connection.status !== 'open'
    })
    expect(sent).toBeLessThan(1_000_000)
  })

  it('are reset when the peer asks for one protocol after the other', async () => {
    const connection = await stranger()
    const stream = await connection.muxer.createStream()
    let answers = 0
    stream.addEventListener('message', ({ data }) => {
      answers += occurrences(data.subarray(), 'na\n')
    })
    stream.send(asking(10_000))
    await until('the reset', () => stream.status !== 'open')
    expect(answers).toBeLessThanOrEqual(16)
    expect(connection.status).toBe('open')
  })

  it('hold nothing of what comes after a refusal', async () => {
    const [attacker, target] = [await node(), await node({ settings: { graceMs: 60_000 } })]
    await connect(attacker, target)
    const protocol = (attacker.network as Libp2pNetwork).host?.getProtocols().find((one) => one.includes('/blocks/'))
    const streams = await Promise.all([1, 2, 3, 4].map(() => connectionOf(attacker).newStream(protocol as string)))
    for (const stream of streams) {
      stream.send(framed(new Uint8Array(4000)))
      await until('a refusal', () => stream.readBufferLength > 0)
      stream.send(new Uint8Array(1 << 20))
    }
    await until('all sent', () => streams.every((stream) => stream.writeBufferLength === 0))
    const inbound = connectionOf(target).streams.filter((stream) => stream.protocol === protocol)
    expect(inbound).toHaveLength(4)
    expect(inbound.map((stream) => stream.readBufferLength)).toEqual([0, 0, 0, 0])
  })
})
