import { queryObjects } from 'node:v8'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import type { Host } from '../../src/network/libp2p.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { CompactList } from '../../src/network/streams/compact-list.ts'
import { host, until } from './support/hosts.ts'
import { connect, node, type TestNode } from './support/nodes.ts'
import { gossipStream, varint } from './support/rpcs.ts'
import { inside } from './support/traces.ts'

/** What a test asks of the classes that their interfaces have not. */
interface Raw {
  send(bytes: Uint8Array): boolean
  readonly decoder: { readonly buffer: CompactList }
}
interface Inside extends Connection {
  readonly muxer: { readonly maConn: Raw; readonly decoder: { readonly buffer: CompactList } }
}
type Yamux = Stream & { readonly streamId: number; sendWindowCapacity: number; readonly readBuffer: CompactList }

/** Below what a peer may send in frames of Yamux at once. */
const PIECES = 20_000
const STRANGERS_PIECES = 1500
/** Of anything else that the process keeps meanwhile. */
const NOISE = 1000

function connectionOf(host: Host | undefined): Inside {
  const [connection] = host?.getConnections() ?? []
  if (connection === undefined) throw new Error('not connected')
  return connection as Inside
}

const hostOf = (of: TestNode): Host | undefined => (of.network as Libp2pNetwork).host

/** A frame of Yamux for each byte. */
async function sendBytes(connection: Inside, stream: Yamux, count: number): Promise<void> {
  const frame = Buffer.alloc(13)
  frame.writeUInt32BE(stream.streamId, 4)
  frame.writeUInt32BE(1, 8)
  stream.sendWindowCapacity -= count
  for (let left = count; left > 0; left -= 1000) {
    connection.muxer.maConn.send(Buffer.concat(Array<Buffer>(Math.min(left, 1000)).fill(frame)))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** How many pieces of bytes there are more in the process when `send` is through. */
async function kept(send: () => Promise<void>): Promise<number> {
  const count = (): number => queryObjects(Uint8Array, { format: 'count' })
  const before = count()
  await send()
  return count() - before
}

async function streamAt(target: TestNode, id: number): Promise<Yamux> {
  let found: Yamux | undefined
  await until('the stream', () => {
    const all = connectionOf(hostOf(target)).streams as Yamux[]
    found = all.find(({ streamId }) => streamId === id)
    return found?.protocol !== undefined && found.protocol !== ''
  })
  return found as Yamux
}

describe('what is held of a peer’s bytes is as much as it has sent, in whatever pieces', () => {
  it('of half an RPC', async () => {
    const [attacker, target] = [await node(), await node()]
    await connect(attacker, target)
    const connection = connectionOf(hostOf(attacker))
    const stream = (await gossipStream(connection)) as Yamux
    stream.send(varint(1_000_000))
    const there = await streamAt(target, stream.streamId)
    let got = 0
    there.addEventListener('message', ({ data }) => {
      got += data.byteLength
    })
    const more = await kept(async () => {
      await sendBytes(connection, stream, PIECES)
      await until('all of it', () => got >= PIECES)
    })
    expect(more).toBeLessThan(NOISE)
  })

  it('of the gossip of a peer that has not passed hello', async () => {
    const target = await node({ settings: { handshakeMs: 60_000 } })
    const stranger = await host()
    await stranger.handle('/moloch/hello/1', () => {})
    const connection = (await stranger.dial(multiaddr(target.address))) as Inside
    const stream = (await gossipStream(connection)) as Yamux
    const there = await streamAt(target, stream.streamId)
    await until('held', () => there.readStatus === 'paused')
    await sendBytes(connection, stream, STRANGERS_PIECES)
    await until('all of it', () => there.readBufferLength === STRANGERS_PIECES)
    expect([...there.readBuffer].length).toBeLessThan(8)
  })

  it('of a stream that we only write to', async () => {
    const [attacker, target] = [await node(), await node()]
    await connect(attacker, target)
    const ours = inside(target).streamsOutbound.get(attacker.network.peerId)?.rawStream as Yamux
    const connection = connectionOf(hostOf(attacker))
    const stream = (connection.streams as Yamux[]).find(({ streamId }) => streamId === ours.streamId) as Yamux
    await sendBytes(connection, stream, PIECES)
    await until('all of it', () => ours.readBufferLength === PIECES)
    expect([...ours.readBuffer].length).toBeLessThan(16)
  })

  it('of half a frame of Yamux, and of half a message of Noise', async () => {
    const [attacker, target] = [await node(), await node()]
    await connect(attacker, target)
    const { maConn } = connectionOf(hostOf(attacker)).muxer
    const header = Buffer.alloc(12)
    header.writeUInt32BE(1, 4)
    header.writeUInt32BE(PIECES + 1, 8)
    maConn.send(header)
    const { muxer } = connectionOf(hostOf(target))
    for (let i = 0; i < PIECES; i += 1) {
      maConn.send(Uint8Array.of(1))
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await until('all of it', () => muxer.decoder.buffer.byteLength === PIECES + header.byteLength)
    expect([...muxer.decoder.buffer].length).toBeLessThan(16)
    expect(muxer.maConn.decoder.buffer).toBeInstanceOf(CompactList)
  })
})
