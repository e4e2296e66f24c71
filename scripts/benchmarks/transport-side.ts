import '../../src/polyfill.ts'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { sink } from '../../src/network/streams/sink.ts'
import { StreamSource } from '../../src/network/streams/source.ts'
import { answer } from './processes.ts'

// One side of transport.raw: the stream settings and the source and sink are the node's own.
const PROTOCOL = '/moloch-benchmark/raw/1'
const CHUNK = 64 << 10

let node: Libp2p | undefined

async function host(): Promise<Libp2p> {
  node ??= await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: 2 << 20, maxReadBufferLength: 4 << 20 } })],
    connectionMonitor: { enabled: false }
  })
  return node
}

function* bytes(megabytes: number): Iterable<Uint8Array> {
  const chunk = new Uint8Array(CHUNK).fill(1)
  for (let sent = 0; sent < megabytes * 1e6; sent += CHUNK) yield chunk
}

async function* asAsync(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks
}

answer({
  /** @returns where it listens */
  serve: async (megabytes: number) => {
    const libp2p = await host()
    await libp2p.handle(PROTOCOL, (stream) => sink(stream, { stallMs: 10_000 })(asAsync(bytes(megabytes))))
    return libp2p.getMultiaddrs()[0]?.toString()
  },
  /** @returns the seconds it took */
  download: async (address: string, megabytes: number) => {
    const libp2p = await host()
    const connection = await libp2p.dial(multiaddr(address))
    const stream = await connection.newStream(PROTOCOL)
    const started = performance.now()
    let received = 0
    for await (const chunk of new StreamSource(stream)) received += chunk.byteLength
    if (received < megabytes * 1e6) throw new Error(`the stream ended after ${received} bytes`)
    return (performance.now() - started) / 1000
  }
})
