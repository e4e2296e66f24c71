import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import type { GossipSub, gossipsub } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PrivateKey } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import type { NetworkSettings } from './settings.ts'

/** How far one stream's sender may be ahead of its reader. The default of 16 MiB is more than the read buffer holds. */
const STREAM_WINDOW_BYTES = 2 << 20
/** What a paused stream may hold; one window always fits, so that pausing never resets. */
const STREAM_READ_BUFFER_BYTES = 4 << 20
/** Streams of one connection, all protocols. Against stream floods; ours have limits of their own far below. */
const MAX_STREAMS = 256

export type Host = Libp2p<{ identify: Identify; ping: Ping; pubsub: GossipSub }>

export interface HostOptions {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly mdns: boolean
  readonly userAgent: string
  readonly gater: ConnectionGater
  readonly pubsub: ReturnType<typeof gossipsub>
  readonly settings: NetworkSettings
}

/** The libp2p node: TCP, Noise, Yamux, gossipsub, identify, ping. Not started. */
export function createHost(options: HostOptions): Promise<Host> {
  const { settings } = options
  return createLibp2p({
    start: false,
    privateKey: options.privateKey,
    nodeInfo: { userAgent: options.userAgent },
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: MAX_STREAMS,
        maxOutboundStreams: MAX_STREAMS,
        streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES, maxReadBufferLength: STREAM_READ_BUFFER_BYTES }
      })
    ],
    peerDiscovery: options.mdns ? [mdns()] : [],
    connectionGater: options.gater,
    connectionManager: {
      maxConnections: settings.maxConnections,
      maxIncomingPendingConnections: settings.maxPendingInbound,
      inboundConnectionThreshold: settings.inboundPerSecond,
      dialTimeout: settings.dialMs,
      addressDialTimeout: settings.dialMs,
      inboundUpgradeTimeout: settings.dialMs,
      outboundStreamProtocolNegotiationTimeout: settings.openMs,
      inboundStreamProtocolNegotiationTimeout: settings.openMs,
      // Our own loop does it (dialer.ts).
      reconnectRetries: 0
    },
    // One failed ping would end a connection that is busy with a transfer. Liveness is judged by Status.
    connectionMonitor: { enabled: false, abortConnectionOnPingFailure: false },
    services: { identify: identify(), ping: ping(), pubsub: options.pubsub }
  })
}
