import type { Connection, ConnectionGater } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { maxTrustedHeaderBytes } from '../chain/check-header.ts'
import { scope } from '../chain/genesis.ts'
import { maxChunkBytes } from '../chain/snapshot-chunks.ts'
import { toHex } from '../codec/bytes.ts'
import type { Log } from '../log.ts'
import { quietLog } from '../quiet-log.ts'
import { parseAddress, peerIdIn } from './addresses.ts'
import { Certifier } from './certify.ts'
import { DialGate } from './dial-gate.ts'
import { Dialer } from './dialer.ts'
import { Discipline } from './discipline.ts'
import { gaterOf } from './gater.ts'
import { Gossip } from './gossip.ts'
import { Handshake } from './handshake.ts'
import { KnownPeers, NO_RECORDS } from './known-peers.ts'
import { Muxers } from './muxer.ts'
import type { NetworkOptions } from './options.ts'
import { OwnKey } from './own-key.ts'
import { openConnection, type Peer } from './peer.ts'
import { Penalties } from './penalties.ts'
import { Rank } from './places.ts'
import { Refill } from './refill.ts'
import { Requests } from './requests.ts'
import { PeerSessions } from './sessions.ts'
import { DEFAULT_SETTINGS, type NetworkSettings } from './settings.ts'
import { Sockets } from './sockets.ts'
import { StatusExchange } from './status-exchange.ts'
import type { RequestLimits } from './streams/client.ts'
import { frameLimit } from './streams/frames.ts'
import { newInstance } from './streams/hello.ts'
import { MAX_SMALL_REQUEST_BYTES, MAX_STATUS_BYTES } from './streams/messages.ts'
import { protocolId } from './topics.ts'
import type { GoodbyeName, Head } from './types.ts'

/** Of sockets before Noise one host may have this many, or half of its sessions. */
const MIN_PENDING_PER_HOST = 4

/** Warnings that strangers can cause, of one kind. An operator is to see some of those who are refused and banned by name. */
const STRANGERS_LINES_A_MINUTE = 20

/** What the parts need of the libp2p node, which is there only between start and stop. */
export interface Hooks {
  readonly connect: (address: string, known: string | undefined) => Promise<string>
  readonly disconnect: (peerId: string, reason: GoodbyeName, message: string) => void
  /** Asks a peer who it is. */
  readonly identify: (connection: Connection) => void
}

export interface Parts {
  readonly peerId: string
  readonly settings: NetworkSettings
  readonly limits: RequestLimits
  readonly scope: string
  readonly sessions: PeerSessions
  readonly gossip: Gossip
  /** Whether the peer has proven to be a validator. */
  readonly isValidator: (peerId: string) => boolean
  readonly gater: ConnectionGater
  readonly dialGate: DialGate
  /** What the peer is to us. */
  readonly rankOf: (peer: Peer) => Rank
  readonly disconnect: Hooks['disconnect']
  readonly log: Log
  readonly muxers: Muxers
  /** A connection of a peer that has passed Hello: it may do more, and is asked who it is. */
  readonly admit: (connection: Connection) => void
  readonly known: KnownPeers
  readonly refill: Refill
  readonly dialer: Dialer
  readonly discipline: Discipline
  readonly handshake: Handshake
  readonly ownKey: OwnKey
  readonly sockets: Sockets
  readonly status: StatusExchange
  readonly requests: Requests
}

/** Builds all of the network that is not libp2p, and what they tell each other. */
export function buildParts(options: NetworkOptions, hooks: Hooks): Parts {
  const { genesis, ports, log, chainKey, mode, trace, random = Math.random } = options
  const settings = { ...DEFAULT_SETTINGS, ...options.settings }
  const limits = { ...settings, maxFrameBytes: frameLimit(genesis.params.maxBlockBytes) }
  const chain = scope(genesis)
  const now = (): number => performance.now()
  const head = (): Head => ports.head()
  const peerId = peerIdFromPrivateKey(options.peerKey)
  const self = peerId.toMultihash().bytes
  const penalties = new Penalties(now)
  const known = new KnownPeers(options.records ?? NO_RECORDS, Date.now)

  // Ids are free: whoever comes under ever new ones must not fill the log.
  const quiet = (): Log => quietLog(log, { monotonic: now }, STRANGERS_LINES_A_MINUTE)

  const sessions: PeerSessions = new PeerSessions({
    settings,
    log: quiet(),
    standing: (peer) => ({
      score: gossip.score(peer),
      gossip: gossip.countsOf(peer),
      points: penalties.points(peer),
      fault: penalties.last(peer)
    })
  })
  const validators = new Set(genesis.validators.keys.map(toHex))
  const isValidator = (peer: string): boolean => validators.has(sessions.find(peer)?.chainKey ?? '')
  const gossip: Gossip = new Gossip({
    scope: chain,
    settings,
    maxMessageBytes: limits.maxFrameBytes,
    passed: (peer) => sessions.passed(peer),
    passedOn: (connection) => sessions.passedOn(connection),
    isValidator: (peer) => isValidator(peer),
    onBadRpc: (peer, message) => discipline.penalise(peer, 'BAD_RPC', message),
    penaltyPoints: (peer) => penalties.points(peer),
    connections: () => sessions.open().flatMap((peer) => openConnection(peer) ?? []),
    trace: trace && { self, sink: trace, scoresMs: settings.traceScoresMs, batchMs: settings.traceBatchMs, log },
    log: quiet()
  })
  const bootstrap = new Set(options.bootstrap.map((address) => peerIdIn(parseAddress(address))))
  const rankOf = ({ id, direction }: Peer): Rank => {
    if (isValidator(id)) return Rank.VALIDATOR
    if (bootstrap.has(id) || direction === 'outbound') return Rank.CHOSEN
    return known.isReached(id) ? Rank.KNOWN : Rank.OTHER
  }
  const dialGate = new DialGate()
  const ownKey = new OwnKey({
    self: peerId.toString(),
    retryMs: settings.refusedMs,
    isDialling: () => dialGate.isDialling,
    now,
    wallClock: Date.now,
    log
  })
  const muxers = new Muxers(settings.maxUnsentBytes)
  const admit = (connection: Connection): void => {
    muxers.admit(connection)
    hooks.identify(connection)
  }
  const perHost = Math.max(MIN_PENDING_PER_HOST, settings.maxPerIp / 2)
  const sockets = new Sockets(settings.maxPendingInbound, perHost, (from) => ownKey.calledFrom(from.toString()))
  const gater = gaterOf({
    self: peerId.toString(),
    sockets,
    isHeld: (peer) => known.holdOn(peer) !== undefined,
    isChosen: (address) => dialGate.allows(address)
  })
  const isConnected = (peer: string): boolean => (sessions.find(peer)?.connections.size ?? 0) > 0
  const dialer = new Dialer({ settings, connect: hooks.connect, isConnected, random, now, log })
  const discipline: Discipline = new Discipline({
    known,
    penalties,
    dialer,
    disconnect: hooks.disconnect,
    now: Date.now,
    faults: quiet(),
    log
  })
  const refill = new Refill({
    wanted: settings.wantedPeers,
    known,
    dialer,
    open: () => sessions.open().length,
    isConnected,
    random
  })
  const handshake = new Handshake({
    identity: { genesis, chainKey, mode, peerId: self, instance: newInstance() },
    head,
    sessions,
    limits: { ...limits, maxFrameBytes: MAX_SMALL_REQUEST_BYTES },
    instanceMs: settings.instanceMs,
    ownKey,
    log,
    faults: quiet()
  })
  const status = new StatusExchange({
    protocol: protocolId(chain, 'status'),
    head,
    sessions,
    certifier: new Certifier(genesis),
    settings,
    limits: { ...limits, maxFrameBytes: MAX_STATUS_BYTES },
    penalise: (peer, code, message) => discipline.penalise(peer, code, message),
    random,
    wallClock: options.wallClock ?? Date.now,
    log
  })
  const requests = new Requests({
    sessions,
    scope: chain,
    limits,
    maxHeaderBytes: maxTrustedHeaderBytes(genesis),
    maxEventBytes: genesis.params.maxEventBytes,
    maxChunkBytes: maxChunkBytes(genesis)
  })
  const about = { peerId: peerId.toString(), settings, limits, scope: chain }
  return {
    ...about,
    sessions,
    gossip,
    isValidator,
    gater,
    dialGate,
    muxers,
    admit,
    rankOf,
    disconnect: hooks.disconnect,
    log,
    known,
    refill,
    dialer,
    discipline,
    handshake,
    ownKey,
    sockets,
    status,
    requests
  }
}
