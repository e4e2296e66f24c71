import type { Connection } from '@libp2p/interface'
import type { TopicRules } from '../chain/gossip-rules.ts'
import { Emitter } from '../emitter.ts'
import { messageOf } from '../error.ts'
import type { Hold } from '../store/peer-store.ts'
import { assertPeerId, parseAddress, peerIdIn } from './addresses.ts'
import { connect } from './connect.ts'
import { networkError } from './errors.ts'
import { followHost, followSessions, found } from './follow.ts'
import { createHost, type Host } from './libp2p.ts'
import { causes, listenFailure } from './listen-failure.ts'
import type { NetworkOptions } from './options.ts'
import type { KeyInUse } from './own-key.ts'
import { buildParts, type Parts } from './parts.ts'
import type { RequestOptions } from './request-options.ts'
import { serveProtocols } from './serving.ts'
import type { PeerSessions } from './sessions.ts'
import type { ChunkWanted, ManifestWanted } from './snapshot-ports.ts'
import type { GetProof, GetVotes, GoodbyeName, HeldPeer, Network, Proof, RawVotes, Topic, TopicView } from './types.ts'

export type { NetworkOptions } from './options.ts'

/** @throws MolochError BAD_ADDRESS for a listen, announce or bootstrap address that is none */
export function createNetwork(options: NetworkOptions): Network {
  return new Libp2pNetwork(options)
}

type Events = { goodbye: [peer: string, reason: GoodbyeName, message: string]; unbanned: [peer: string] }

export class Libp2pNetwork extends Emitter<Events> implements Network {
  readonly peerId: string
  readonly sessions: PeerSessions
  readonly #options: NetworkOptions
  readonly #parts: Parts
  #host: Host | undefined
  #refilling: NodeJS.Timeout | undefined

  constructor(options: NetworkOptions) {
    super()
    for (const address of [...options.listen, ...(options.announce ?? [])]) parseAddress(address)
    this.#options = options
    this.#parts = buildParts(options, {
      connect: (address, known) => this.#connect(address, known),
      disconnect: (peer, reason, message) => void this.disconnect(peer, reason, message),
      identify: (connection) => this.#identify(connection)
    })
    this.peerId = this.#parts.peerId
    this.sessions = this.#parts.sessions
    followSessions(this.#parts)
    const { dialer, known } = this.#parts
    for (const address of options.bootstrap) {
      dialer.add(address, { peerId: peerIdIn(parseAddress(address)), bootstrap: true })
    }
    // Held out before this process began: a dial would only be refused by our own gater, with a warning.
    for (const { peerId, hold } of known.held()) dialer.holdOff(peerId, hold.until - Date.now())
  }

  /** The libp2p node, while started. */
  get host(): Host | undefined {
    return this.#host
  }

  async start(): Promise<void> {
    const { peerKey, listen, announce = [], mdns = false, userAgent, ports, log } = this.#options
    const host = await createHost({
      privateKey: peerKey,
      listen,
      announce,
      onFound: mdns ? (peer) => found(this.#parts, peer) : undefined,
      userAgent,
      gater: this.#parts.gater,
      resolver: this.#parts.dialGate.resolver,
      muxer: () => this.#parts.muxers.factory(),
      pubsub: this.#parts.gossip.service(),
      settings: this.#parts.settings
    })
    this.#parts.gossip.attach(host.services.pubsub)
    followHost(host, this.#parts)
    await serveProtocols(host, {
      settings: this.#parts.settings,
      maxFrameBytes: this.#parts.limits.maxFrameBytes,
      scope: this.#parts.scope,
      ports,
      handshake: this.#parts.handshake,
      status: this.#parts.status,
      sessions: this.sessions,
      isHeld: (peer) => this.#parts.known.holdOn(peer) !== undefined,
      isValidator: this.#parts.isValidator,
      onFlood: (peer, message) => this.penalise(peer, 'REQUEST_FLOOD', message),
      onGoodbye: (peer, reason, message) => this.#onGoodbye(peer, reason, message),
      log
    })
    this.#host = host
    try {
      await host.start()
    } catch (error) {
      this.#host = undefined
      await host.stop()
      const where = listen.join(', ')
      throw networkError('LISTEN_FAILED', listenFailure(where, causes(error)), { listen: where }, error)
    }
    this.#parts.gossip.started(host.services.pubsub)
    this.#parts.dialer.start()
    this.#refilling = setInterval(() => {
      for (const peer of this.sessions.open()) this.#parts.known.stillThere(peer.id)
      this.#parts.refill.tick()
    }, this.#parts.settings.refillMs)
  }

  async stop(): Promise<void> {
    const host = this.#host
    if (host === undefined) return
    clearInterval(this.#refilling)
    this.#parts.dialer.stop()
    await Promise.all(
      this.sessions.open().map((peer) => this.#parts.requests.goodbye(peer, 'SHUTDOWN', 'this node stops'))
    )
    this.#host = undefined
    this.sessions.stop()
    this.#parts.gossip.stopped()
    await host.stop()
  }

  addresses(): string[] {
    return this.#host?.getMultiaddrs().map(String) ?? []
  }

  async dial(address: string): Promise<string> {
    const known = peerIdIn(parseAddress(address))
    const hold = known === undefined ? undefined : this.#parts.known.holdOn(known)
    if (hold !== undefined) {
      const until = new Date(hold.until).toISOString()
      throw networkError('DIAL_FAILED', `${known} is held out until ${until} (${hold.code}); unban it first`, {
        address
      })
    }
    const id = await this.#connect(address, known)
    this.#parts.dialer.add(address, { peerId: id, connected: true })
    return id
  }

  getBlocks(peerId: string, range: { start: number; count: number }, options: RequestOptions = {}) {
    return this.#parts.requests.blocks(peerId, range, options)
  }

  getVotes(peerId: string, request: GetVotes, options: RequestOptions = {}): Promise<RawVotes> {
    return this.#parts.requests.votes(peerId, request, options)
  }

  getHeaders(peerId: string, range: { start: number; count: number }, options: RequestOptions = {}) {
    return this.#parts.requests.headers(peerId, range, options)
  }

  getProof(peerId: string, request: GetProof, options: RequestOptions = {}): Promise<Proof> {
    return this.#parts.requests.proof(peerId, request, options)
  }

  getManifest(peerId: string, wanted: ManifestWanted, options: RequestOptions = {}): Promise<Uint8Array> {
    return this.#parts.requests.manifest(peerId, wanted, options)
  }

  getChunk(peerId: string, wanted: ChunkWanted, options: RequestOptions = {}): Promise<Uint8Array> {
    return this.#parts.requests.chunk(peerId, wanted, options)
  }

  publish(topic: Topic, payload: Uint8Array): Promise<number> {
    return this.#parts.gossip.publish(topic, payload)
  }

  subscribe<Message>(topic: Topic, rules: TopicRules<Message>): () => void {
    return this.#parts.gossip.subscribe(topic, rules)
  }

  topics(): TopicView[] {
    return this.#parts.gossip.topics()
  }

  headChanged(): void {
    this.#parts.status.headChanged()
  }

  peerHas(peerId: string, height: number): void {
    const peer = this.sessions.find(peerId)
    if (peer !== undefined) this.#parts.status.shown(peer, height)
  }

  penalise(peerId: string, code: string, message?: string): void {
    this.#parts.discipline.penalise(peerId, code, message)
  }

  ban(peerId: string, ms: number, reason: string): HeldPeer {
    const id = assertPeerId(peerId, this.peerId)
    this.#parts.discipline.ban(id, ms, reason)
    return { peerId: id, ...(this.#parts.known.holdOn(id) as Hold) }
  }

  unban(peerId: string): boolean {
    const id = assertPeerId(peerId, this.peerId)
    const known = this.#parts.discipline.unban(id)
    // Also of one that is not held out any more: sync may not ask it for some time yet.
    this.emit('unbanned', id)
    return known
  }

  held(): HeldPeer[] {
    return this.#parts.known.held().map(({ peerId, hold }) => ({ peerId, ...hold }))
  }

  get knownPeers(): number {
    return this.#parts.known.size
  }

  keyInUse(): KeyInUse | undefined {
    return this.#parts.ownKey.state()
  }

  async disconnect(peerId: string, reason: GoodbyeName, message = ''): Promise<void> {
    const peer = this.sessions.find(peerId)
    if (peer === undefined) return
    await this.#parts.requests.goodbye(peer, reason, message)
    this.sessions.close(peer, `${reason}${message === '' ? '' : `: ${message}`}`)
  }

  #identify(connection: Connection): void {
    this.#host?.services.identify.identify(connection).catch((error) => {
      this.#options.log.debug({ peer: connection.remotePeer.toString(), err: messageOf(error) }, 'identify failed')
    })
  }

  async #connect(address: string, known: string | undefined): Promise<string> {
    if (this.#host === undefined) throw networkError('NOT_STARTED', 'the network is not started')
    return connect(this.#host, this.#parts, address, known)
  }

  #onGoodbye(peerId: string, reason: GoodbyeName, message: string): void {
    const peer = this.sessions.find(peerId)
    if (peer !== undefined) peer.farewell = `goodbye: ${reason}${message === '' ? '' : `, ${message}`}`
    this.#options.log.debug({ peer: peerId, reason }, `goodbye from peer: ${message}`)
    this.#parts.discipline.heard(peerId, reason)
    this.emit('goodbye', peerId, reason, message)
  }
}
