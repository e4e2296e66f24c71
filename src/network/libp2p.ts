import { noise } from '@chainsafe/libp2p-noise'
import type { GossipSub, gossipsub } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type {
  ConnectionGater,
  Libp2p,
  MultiaddrResolver,
  PeerInfo,
  PrivateKey,
  StreamMuxerFactory
} from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { PeerMemory } from './peer-memory.ts'
import type { NetworkSettings } from './settings.ts'

/** What one peer may say of itself in one piece; ours is some 1200 bytes. libp2p takes ten of them. */
const MAX_IDENTIFY_BYTES = 4096
/** Rows of libp2p's peer store for each connection there can be: some are of peers that we dial in vain. */
const PEERS_PER_CONNECTION = 4
/** A /dnsaddr may name many; each is tried for as long as a dial may take. */
const MAX_ADDRESSES_OF_A_DIAL = 8

export type Host = Libp2p<{ identify: Identify; pubsub: GossipSub }>

export interface HostOptions {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  /** Called with what mDNS finds; undefined: it is not asked. */
  readonly onFound: ((peer: PeerInfo) => void) | undefined
  readonly userAgent: string
  readonly gater: ConnectionGater
  /** Of /dnsaddr, so that the gater knows what it resolved to. */
  readonly resolver: MultiaddrResolver
  readonly muxer: () => StreamMuxerFactory
  readonly pubsub: ReturnType<typeof gossipsub>
  readonly settings: NetworkSettings
}

/**
 * The libp2p node: TCP, Noise, Yamux, gossipsub, identify. Not started. What else libp2p has, and why it is not here, is in
 * docs/architecture.md.
 */
export function createHost(options: HostOptions): Promise<Host> {
  const { settings, onFound } = options
  return createLibp2p({
    start: false,
    privateKey: options.privateKey,
    nodeInfo: { userAgent: options.userAgent },
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [options.muxer],
    peerDiscovery: onFound === undefined ? [] : [discovery(onFound)],
    connectionGater: options.gater,
    datastore: new PeerMemory(PEERS_PER_CONNECTION * settings.maxConnections, peerIdFromPrivateKey(options.privateKey)),
    connectionManager: {
      // Places are ours to give (places.ts): libp2p's are first come, first held, and it closes connections by tags.
      maxConnections: Number.MAX_SAFE_INTEGER,
      maxIncomingPendingConnections: Number.MAX_SAFE_INTEGER,
      inboundConnectionThreshold: settings.inboundPerSecond,
      dialTimeout: settings.dialMs,
      addressDialTimeout: settings.dialMs,
      inboundUpgradeTimeout: settings.dialMs,
      outboundStreamProtocolNegotiationTimeout: settings.openMs,
      inboundStreamProtocolNegotiationTimeout: settings.openMs,
      maxPeerAddrsToDial: MAX_ADDRESSES_OF_A_DIAL,
      resolvers: { dnsaddr: options.resolver },
      // Our own loop does it (dialer.ts).
      reconnectRetries: 0
    },
    // One failed ping would end a connection that is busy with a transfer. Liveness is judged by Status.
    connectionMonitor: { enabled: false, abortConnectionOnPingFailure: false },
    // Who has not passed Hello is not asked who it is (follow.ts).
    services: {
      identify: identify({ maxMessageSize: MAX_IDENTIFY_BYTES, runOnConnectionOpen: false }),
      pubsub: options.pubsub
    }
  })
}

/**
 * mDNS, listened to directly: libp2p's own peer:discovery tells of every peer that comes into its peer store, at addresses
 * that the peer itself named.
 */
function discovery(onFound: (peer: PeerInfo) => void) {
  const create = mdns()
  return (components: Parameters<typeof create>[0]): ReturnType<typeof create> => {
    const service = create(components)
    service.addEventListener('peer', ({ detail }) => onFound(detail))
    return service
  }
}
