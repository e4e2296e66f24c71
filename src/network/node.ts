import { Emitter } from '../emitter.ts'
import { messageOf } from '../error.ts'
import type { Hold } from '../store/peer-store.ts'
import { assertPeerId, dialable, parseAddress, peerIdIn, withPeerId } from './addresses.ts'
import { networkError } from './errors.ts'
import { createHost, type Host } from './libp2p.ts'
import { causes, listenFailure } from './listen-failure.ts'
import type { NetworkOptions } from './options.ts'
import { buildParts, type Parts } from './parts.ts'
import type { Peer } from './peer.ts'
import { serveProtocols } from './serving.ts'
import { isOpen } from './session.ts'
import type { PeerSessions } from './sessions.ts'
import { words } from './streams/refusal.ts'
import type { GetVotes, GoodbyeName, HeldPeer, Network, RawVotes, RequestOptions, Topic, Verdict } from './types.ts'

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
      connections: () => this.#host?.getConnections() ?? []
    })
    this.peerId = this.#parts.peerId
    this.sessions = this.#parts.sessions
    this.#followSessions()
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
      mdns,
      userAgent,
      gater: this.#parts.gater,
      pubsub: this.#parts.gossip.service(),
      settings: this.#parts.settings
    })
    this.#parts.gossip.attach(host.services.pubsub)
    this.#listen(host)
    await serveProtocols(host, {
      settings: this.#parts.settings,
      maxFrameBytes: this.#parts.limits.maxFrameBytes,
      scope: this.#parts.scope,
      ports,
      handshake: this.#parts.handshake,
      status: this.#parts.status,
      sessions: this.sessions,
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
    this.#refilling = setInterval(() => this.#parts.refill.tick(), this.#parts.settings.refillMs)
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
    const id = await this.#connect(address, peerIdIn(parseAddress(address)))
    this.#parts.dialer.add(address, { peerId: id, connected: true })
    return id
  }

  getBlocks(peerId: string, range: { start: number; count: number }, options: RequestOptions = {}) {
    return this.#parts.requests.blocks(peerId, range, options)
  }

  getVotes(peerId: string, request: GetVotes, options: RequestOptions = {}): Promise<RawVotes> {
    return this.#parts.requests.votes(peerId, request, options)
  }

  publish(topic: Topic, payload: Uint8Array): Promise<number> {
    return this.#parts.gossip.publish(topic, payload)
  }

  subscribe(topic: Topic, handler: (payload: Uint8Array, from: string) => Promise<Verdict>): () => void {
    return this.#parts.gossip.subscribe(topic, handler)
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
    this.#parts.discipline.ban(assertPeerId(peerId, this.peerId), ms, reason)
    return { peerId, ...(this.#parts.known.holdOn(peerId) as Hold) }
  }

  unban(peerId: string): boolean {
    const held = this.#parts.discipline.unban(peerId)
    if (held) this.emit('unbanned', peerId)
    return held
  }

  held(): HeldPeer[] {
    return this.#parts.known.held().map(({ peerId, hold }) => ({ peerId, ...hold }))
  }

  get knownPeers(): number {
    return this.#parts.known.size
  }

  async disconnect(peerId: string, reason: GoodbyeName, message = ''): Promise<void> {
    const peer = this.sessions.find(peerId)
    if (peer === undefined) return
    await this.#parts.requests.goodbye(peer, reason, message)
    this.sessions.close(peer, `${reason}${message === '' ? '' : `: ${message}`}`)
  }

  #followSessions(): void {
    const { sessions } = this
    const waiting = new WeakSet<Peer>()
    sessions.on('passed', (peer) => this.#parts.gossip.admit(peer.id))
    sessions.on('opened', (peer) => {
      this.#parts.dialer.reached(peer.id)
      this.#remember(peer)
      this.#parts.status.start(peer)
    })
    sessions.on('update', (view) => {
      const peer = sessions.find(view.peerId)
      if (peer === undefined || waiting.has(peer) || !['SYNCING', 'SYNCED', 'PROVIDING'].includes(view.state)) return
      waiting.add(peer)
      // Published before its subscriptions are known, a message would not reach it.
      void this.#parts.gossip
        .whenSubscriber(peer.id, this.#parts.settings.subscriptionMs)
        .then(() => sessions.becameReady(peer))
    })
    sessions.on('closed', (view) => {
      this.#parts.gossip.forget(view.peerId)
      this.#parts.dialer.lost(view.peerId)
    })
    sessions.on('refused', (peer) => this.#parts.dialer.holdOff(peer.id))
    sessions.on('unanswered', (peer, reason) => this.#parts.dialer.unanswered(peer.id, reason))
  }

  #listen(host: Host): void {
    host.addEventListener('connection:open', ({ detail: connection }) => {
      const peer = this.sessions.connected(connection)
      if (peer.session.state !== 'CLOSED') void this.#parts.handshake.run(peer, connection)
    })
    host.addEventListener('connection:close', ({ detail }) => this.sessions.disconnected(detail))
    host.addEventListener('peer:identify', ({ detail: { peerId, agentVersion, listenAddrs, connection } }) => {
      const peer = this.sessions.find(peerId.toString())
      if (peer === undefined) return
      if (agentVersion !== undefined) peer.userAgent = words(agentVersion)
      peer.claimed = dialable(listenAddrs, connection.remoteAddr, peer.id)
      if (isOpen(peer.session)) this.#remember(peer)
    })
    host.addEventListener('peer:discovery', ({ detail: { id, multiaddrs } }) => {
      const peerId = id.toString()
      for (const address of multiaddrs) this.#parts.dialer.add(withPeerId(address, peerId), { peerId })
    })
  }

  /** Where a peer that passed Hello can be met again. */
  #remember(peer: Peer): void {
    const dialled = peer.direction === 'outbound' ? [withPeerId(parseAddress(peer.address), peer.id)] : []
    this.#parts.known.met(peer.id, [...dialled, ...peer.claimed])
  }

  async #connect(address: string, known: string | undefined): Promise<string> {
    const host = this.#host
    if (host === undefined) throw networkError('NOT_STARTED', 'the network is not started')
    const target = parseAddress(address)
    const deadline = new AbortController()
    const { dialMs } = this.#parts.settings
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

  #onGoodbye(peerId: string, reason: GoodbyeName, message: string): void {
    const peer = this.sessions.find(peerId)
    if (peer !== undefined) peer.farewell = `goodbye: ${reason}${message === '' ? '' : `, ${message}`}`
    this.#options.log.debug({ peer: peerId, reason }, `goodbye from peer: ${message}`)
    this.#parts.discipline.heard(peerId, reason)
    this.emit('goodbye', peerId, reason, message)
  }
}
