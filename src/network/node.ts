import type { Connection, PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Genesis } from '../chain/genesis.ts'
import { scope } from '../chain/genesis.ts'
import type { KeyPair } from '../crypto/ed25519.ts'
import { Emitter } from '../emitter.ts'
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { Certifier } from './certify.ts'
import { Dialer } from './dialer.ts'
import { networkError } from './errors.ts'
import { Gater } from './gater.ts'
import { Gossip } from './gossip.ts'
import { Handshake } from './handshake.ts'
import { createHost, type Host } from './libp2p.ts'
import { openConnection, type Peer } from './peer.ts'
import { serveProtocols } from './serving.ts'
import { PeerSessions } from './sessions.ts'
import { DEFAULT_SETTINGS, type NetworkSettings } from './settings.ts'
import { StatusExchange } from './status-exchange.ts'
import { assertRange, makeGetBlocks, readBlocks } from './streams/blocks.ts'
import { type RequestLimits, request, requestOne } from './streams/client.ts'
import { frameLimit } from './streams/frames.ts'
import { GOODBYE_PROTOCOL, makeGoodbye } from './streams/goodbye.ts'
import { MAX_SMALL_REQUEST_BYTES, MAX_STATUS_BYTES } from './streams/messages.ts'
import { makeGetVotes, readVotes } from './streams/votes.ts'
import { protocolId } from './topics.ts'
import type {
  GetVotes,
  GoodbyeName,
  Head,
  Network,
  NetworkPorts,
  NodeMode,
  PeerVerdict,
  RawVotes,
  RequestOptions,
  Topic,
  Verdict
} from './types.ts'
import { DISCONNECT_POINTS, Penalties, verdictFor } from './verdicts.ts'

/** A goodbye is a courtesy: nothing waits longer for it. */
const GOODBYE_MS = 500
/** A peer that we disconnected for a fault is not dialled again for this long. */
const FAULT_HOLD_MS = 60_000

export interface NetworkOptions {
  readonly genesis: Genesis
  readonly peerKey: PrivateKey
  /** A validator's validator key. */
  readonly chainKey: KeyPair
  readonly mode: NodeMode
  /** Multiaddrs; `/ip4/127.0.0.1/tcp/0` for any free port. */
  readonly listen: readonly string[]
  /** Multiaddrs told to others in place of those listened on. */
  readonly announce?: readonly string[]
  /** Multiaddrs, with or without `/p2p/…`. */
  readonly bootstrap: readonly string[]
  readonly mdns?: boolean
  readonly userAgent: string
  readonly ports: NetworkPorts
  readonly log: Log
  readonly settings?: Partial<NetworkSettings>
  /** 0 … 1, for jitter; a seeded one makes tests repeatable. */
  readonly random?: () => number
}

/** @throws MolochError BAD_ADDRESS for a listen, announce or bootstrap address that is none */
export function createNetwork(options: NetworkOptions): Network {
  return new Libp2pNetwork(options)
}

type Parts = { host: Host }

class Libp2pNetwork
  extends Emitter<{ goodbye: [peer: string, reason: GoodbyeName, message: string] }>
  implements Network
{
  readonly peerId: string
  readonly sessions: PeerSessions
  readonly #options: NetworkOptions
  readonly #settings: NetworkSettings
  readonly #limits: RequestLimits
  readonly #scope: string
  readonly #gossip: Gossip
  readonly #gater: Gater
  readonly #penalties: Penalties
  readonly #dialer: Dialer
  readonly #handshake: Handshake
  readonly #status: StatusExchange
  #parts: Parts | undefined

  constructor(options: NetworkOptions) {
    super()
    const { genesis, ports, log } = options
    const settings = { ...DEFAULT_SETTINGS, ...options.settings }
    const now = (): number => performance.now()
    const random = options.random ?? Math.random
    const peerId = peerIdFromPrivateKey(options.peerKey)
    for (const address of [...options.listen, ...(options.announce ?? []), ...options.bootstrap]) parse(address)

    this.#options = options
    this.#settings = settings
    this.#limits = { ...settings, maxFrameBytes: frameLimit(genesis.params.maxBlockBytes) }
    this.#scope = scope(genesis)
    this.peerId = peerId.toString()
    this.#penalties = new Penalties(now)
    this.#gater = new Gater({ ...settings, connected: () => this.#connected(), now })
    this.sessions = new PeerSessions({ settings, log, score: (peer) => this.#gossip.score(peer) })
    this.#gossip = new Gossip({
      scope: this.#scope,
      settings,
      maxMessageBytes: this.#limits.maxFrameBytes,
      passed: (peer) => this.sessions.passed(peer),
      penaltyPoints: (peer) => this.#penalties.points(peer),
      connections: () => this.#openConnections(),
      log
    })
    this.#dialer = new Dialer({
      settings,
      connect: (address, known) => this.#connect(address, known),
      isConnected: (peer) => (this.sessions.find(peer)?.connections.size ?? 0) > 0,
      random,
      now,
      log
    })
    const identity = { genesis, chainKey: options.chainKey, mode: options.mode, peerId: peerId.toMultihash().bytes }
    const small = { ...this.#limits, maxFrameBytes: MAX_SMALL_REQUEST_BYTES }
    const head = (): Head => ports.head()
    this.#handshake = new Handshake({ identity, head, sessions: this.sessions, limits: small, log })
    this.#status = new StatusExchange({
      protocol: protocolId(this.#scope, 'status'),
      head,
      sessions: this.sessions,
      certifier: new Certifier(genesis),
      settings,
      limits: { ...this.#limits, maxFrameBytes: MAX_STATUS_BYTES },
      penalise: (peer, code, message) => this.#penalise(peer, code, undefined, message),
      random,
      log
    })
    this.#followSessions()
    for (const address of options.bootstrap) {
      this.#dialer.add(address, { peerId: peerIdIn(parse(address)), bootstrap: true })
    }
  }

  async start(): Promise<void> {
    const { peerKey, listen, announce, mdns, userAgent } = this.#options
    const host = await createHost({
      privateKey: peerKey,
      listen,
      announce: announce ?? [],
      mdns: mdns ?? false,
      userAgent,
      gater: this.#gater.rules,
      pubsub: this.#gossip.service(),
      settings: this.#settings
    })
    this.#gossip.attach(host.services.pubsub)
    host.addEventListener('connection:open', ({ detail }) => this.#opened(detail))
    host.addEventListener('connection:close', ({ detail }) => this.sessions.disconnected(detail))
    host.addEventListener('peer:identify', ({ detail }) => {
      const peer = this.sessions.find(detail.peerId.toString())
      if (peer === undefined || detail.agentVersion === undefined) return
      peer.userAgent = detail.agentVersion.slice(0, 128)
    })
    host.addEventListener('peer:discovery', ({ detail }) => {
      const id = detail.id.toString()
      for (const address of detail.multiaddrs) this.#dialer.add(withPeerId(address, id), { peerId: id })
    })
    await serveProtocols(host, {
      settings: this.#settings,
      maxFrameBytes: this.#limits.maxFrameBytes,
      scope: this.#scope,
      ports: this.#options.ports,
      handshake: this.#handshake,
      status: this.#status,
      sessions: this.sessions,
      onGoodbye: (peer, reason, message) => this.#onGoodbye(peer, reason, message),
      log: this.#options.log
    })
    this.#parts = { host }
    try {
      await host.start()
    } catch (error) {
      this.#parts = undefined
      await host.stop()
      const where = listen.join(', ')
      throw networkError('LISTEN_FAILED', `cannot listen on ${where}: ${causes(error)}`, { listen: where }, error)
    }
    this.#gossip.started()
    this.#dialer.start()
  }

  async stop(): Promise<void> {
    const parts = this.#parts
    if (parts === undefined) return
    this.#dialer.stop()
    await Promise.all(this.sessions.open().map((peer) => this.#sayGoodbye(peer, 'SHUTDOWN', 'this node stops')))
    this.#parts = undefined
    this.sessions.stop()
    this.#gossip.stopped()
    await parts.host.stop()
  }

  addresses(): string[] {
    return this.#parts?.host.getMultiaddrs().map(String) ?? []
  }

  async dial(address: string): Promise<string> {
    const id = await this.#connect(address, peerIdIn(parse(address)))
    this.#dialer.add(address, { peerId: id, connected: true })
    return id
  }

  async *getBlocks(
    peerId: string,
    range: { start: number; count: number },
    options: RequestOptions = {}
  ): AsyncGenerator<Uint8Array[], void, undefined> {
    assertRange(range.start, range.count)
    const connection = this.#connectionTo(peerId)
    const protocol = protocolId(this.#scope, 'blocks')
    const message = makeGetBlocks(range.start, range.count)
    yield* readBlocks(request(connection, protocol, message, this.#limits, options.signal), range, peerId)
  }

  async getVotes(peerId: string, wanted: GetVotes, options: RequestOptions = {}): Promise<RawVotes> {
    const connection = this.#connectionTo(peerId)
    const protocol = protocolId(this.#scope, 'votes')
    const frame = await requestOne(connection, protocol, makeGetVotes(wanted), this.#limits, options.signal)
    return readVotes(frame, peerId)
  }

  publish(topic: Topic, payload: Uint8Array): Promise<number> {
    return this.#gossip.publish(topic, payload)
  }

  subscribe(topic: Topic, handler: (payload: Uint8Array, from: string) => Promise<Verdict>): () => void {
    return this.#gossip.subscribe(topic, handler)
  }

  headChanged(): void {
    this.#status.headChanged()
  }

  peerHas(peerId: string, height: number): void {
    const peer = this.sessions.find(peerId)
    if (peer !== undefined) this.#status.shown(peer, height)
  }

  penalise(peerId: string, code: string, verdict?: PeerVerdict): void {
    this.#penalise(peerId, code, verdict, code)
  }

  async disconnect(peerId: string, reason: GoodbyeName, message = ''): Promise<void> {
    const peer = this.sessions.find(peerId)
    if (peer === undefined) return
    await this.#sayGoodbye(peer, reason, message)
    this.sessions.close(peer, `${reason}${message === '' ? '' : `: ${message}`}`)
  }

  #followSessions(): void {
    this.sessions.on('passed', (peer) => this.#gossip.admit(peer.id))
    this.sessions.on('opened', (peer) => {
      this.#dialer.reached(peer.id)
      this.#status.start(peer)
    })
    const waiting = new WeakSet<Peer>()
    this.sessions.on('update', (view) => {
      const peer = this.sessions.find(view.peerId)
      if (peer === undefined || waiting.has(peer) || !['SYNCING', 'SYNCED', 'PROVIDING'].includes(view.state)) return
      waiting.add(peer)
      // Published before its subscriptions are known, a message would not reach it.
      void this.#gossip
        .whenSubscriber(peer.id, this.#settings.subscriptionMs)
        .then(() => this.sessions.becameReady(peer))
    })
    this.sessions.on('closed', (view) => {
      this.#gossip.forget(view.peerId)
      this.#dialer.lost(view.peerId)
    })
    this.sessions.on('refused', (peer) => this.#dialer.holdOff(peer.id))
  }

  #opened(connection: Connection): void {
    const peer = this.sessions.connected(connection)
    if (peer.session.state !== 'CLOSED') void this.#handshake.run(peer, connection)
  }

  async #connect(address: string, known: string | undefined): Promise<string> {
    const host = this.#parts?.host
    if (host === undefined) throw networkError('NOT_STARTED', 'the network is not started')
    const target = parse(address)
    const deadline = new AbortController()
    const { dialMs } = this.#settings
    const timer = setTimeout(() => deadline.abort(new Error(`no connection within ${dialMs} ms`)), dialMs)
    if (known !== undefined) this.sessions.dialing(known, address)
    try {
      const connection = await host.dial(target, { signal: deadline.signal })
      return connection.remotePeer.toString()
    } catch (error) {
      const why = deadline.signal.aborted ? messageOf(deadline.signal.reason) : causes(error)
      throw networkError('DIAL_FAILED', why, { address }, error)
    } finally {
      clearTimeout(timer)
      if (known !== undefined) this.sessions.dialFailed(known)
    }
  }

  #penalise(peerId: string, code: string, given: PeerVerdict | undefined, message: string): void {
    const verdict = given ?? verdictFor(code)
    const peer = this.sessions.find(peerId)
    const details = { peer: peerId, code, verdict }
    if (verdict === 'ignore') return
    const points = this.#penalties.add(peerId)
    if (verdict === 'ban') {
      this.#gater.ban(peerId)
      this.#dialer.holdOff(peerId, this.#settings.banMs)
    } else if (verdict === 'disconnect' || points >= DISCONNECT_POINTS) {
      this.#dialer.holdOff(peerId, FAULT_HOLD_MS)
    } else {
      this.#options.log.debug(details, `peer penalised: ${message}`)
      return
    }
    this.#options.log.info(details, `peer ${verdict === 'ban' ? 'banned' : 'disconnected'}: ${message}`)
    if (peer !== undefined) void this.disconnect(peerId, verdict === 'ban' ? 'BANNED' : 'FAULT', code)
  }

  async #sayGoodbye(peer: Peer, reason: GoodbyeName, message: string): Promise<void> {
    const connection = openConnection(peer)
    if (connection === undefined) return
    const quick = { ...this.#limits, openMs: GOODBYE_MS, firstByteMs: GOODBYE_MS, stallMs: GOODBYE_MS }
    try {
      for await (const _ of request(connection, GOODBYE_PROTOCOL, makeGoodbye(reason, message), quick)) break
    } catch {
      // It closes without an answer, or is gone.
    }
  }

  #onGoodbye(peerId: string, reason: GoodbyeName, message: string): void {
    const peer = this.sessions.find(peerId)
    if (peer !== undefined) peer.farewell = `goodbye: ${reason}${message === '' ? '' : `, ${message}`}`
    if (reason === 'OTHER_CHAIN' || reason === 'BANNED') this.#dialer.holdOff(peerId)
    if (reason === 'TOO_MANY_PEERS' || reason === 'FAULT') this.#dialer.holdOff(peerId, FAULT_HOLD_MS)
    this.#options.log.debug({ peer: peerId, reason }, `goodbye from peer: ${message}`)
    this.emit('goodbye', peerId, reason, message)
  }

  /** @throws MolochError PEER_UNKNOWN */
  #connectionTo(peerId: string): Connection {
    const peer = this.sessions.find(peerId)
    const connection = peer === undefined || !this.sessions.passed(peerId) ? undefined : openConnection(peer)
    if (connection === undefined) throw networkError('PEER_UNKNOWN', 'no session with that peer', { peer: peerId })
    return connection
  }

  *#openConnections(): Iterable<Connection> {
    for (const peer of this.sessions.open()) {
      const connection = openConnection(peer)
      if (connection !== undefined) yield connection
    }
  }

  *#connected(): Iterable<Multiaddr> {
    for (const connection of this.#parts?.host.getConnections() ?? []) yield connection.remoteAddr
  }
}

/** @throws MolochError BAD_ADDRESS */
function parse(address: string): Multiaddr {
  try {
    return multiaddr(address)
  } catch (error) {
    const accepted = 'a multiaddr such as /ip4/127.0.0.1/tcp/9645 or /dns4/name/tcp/9645/p2p/…'
    throw networkError('BAD_ADDRESS', `${address} is no address (${messageOf(error)}); accepted: ${accepted}`, {
      address
    })
  }
}

function peerIdIn(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ name }) => name === 'p2p')?.value
}

function withPeerId(address: Multiaddr, peerId: string): string {
  return peerIdIn(address) === undefined ? `${address.toString()}/p2p/${peerId}` : address.toString()
}

/** The message of an error that may hold several. */
function causes(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : messageOf(error)
}
