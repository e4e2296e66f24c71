import type { Connection } from '@libp2p/interface'
import { Emitter } from '../emitter.ts'
import { MolochError } from '../error.ts'
import type { Log } from '../log.ts'
import { clearTimers, newPeer, openConnection, type Peer, type Standing, viewOf } from './peer.ts'
import { Rank, whoLeaves } from './places.ts'
import { RefusalLog } from './refusal-log.ts'
import { isOpen, type SessionInput, transition } from './session.ts'
import type { NetworkSettings } from './settings.ts'
import type { PeerView, SessionState, Sessions } from './types.ts'

/** Of one peer: a second one may be of a process that took the place of the first. */
const MAX_CONNECTIONS = 3

export interface SessionsOptions {
  readonly settings: NetworkSettings
  readonly log: Log
  readonly standing: (peerId: string) => Standing
}

/** Keeps one session per peer, whatever the number of its connections, and is the only place that moves them. */
export class PeerSessions
  extends Emitter<{
    ready: [peer: PeerView]
    update: [peer: PeerView]
    closed: [peer: PeerView]
    /** The first of the two Hellos on a connection passed: from now on the peer is served there. */
    greeted: [peer: Peer, connection: Connection]
    /** Both Hellos passed. */
    opened: [peer: Peer]
    /** Refused at Hello, by either side. */
    refused: [peer: Peer]
    /** Ended before both Hellos passed, and not by a refusal. */
    unanswered: [peer: Peer, reason: string]
  }>
  implements Sessions
{
  readonly #options: SessionsOptions
  readonly #peers = new Map<string, Peer>()
  readonly #refusals: RefusalLog
  readonly #lingering = new Set<NodeJS.Timeout>()
  readonly #admitted = new WeakSet<Connection>()

  constructor(options: SessionsOptions) {
    super()
    this.#options = options
    this.#refusals = new RefusalLog(options.log, options.settings.refusedMs)
  }

  list(): PeerView[] {
    return [...this.#peers.values()].filter((peer) => peer.session.state !== 'CLOSED').map((peer) => this.#view(peer))
  }

  get(peerId: string): PeerView | undefined {
    const peer = this.find(peerId)
    return peer === undefined ? undefined : this.#view(peer)
  }

  counts(): Record<SessionState, number> {
    const counts = { CONNECTING: 0, HANDSHAKING: 0, DETERMINING: 0, SYNCING: 0, SYNCED: 0, PROVIDING: 0, CLOSED: 0 }
    for (const peer of this.#peers.values()) counts[peer.session.state] += 1
    return { ...counts, CLOSED: 0 }
  }

  /** The live session of a peer. */
  find(peerId: string): Peer | undefined {
    const peer = this.#peers.get(peerId)
    return peer?.session.state === 'CLOSED' ? undefined : peer
  }

  open(): Peer[] {
    return [...this.#peers.values()].filter((peer) => isOpen(peer.session))
  }

  /** Its Hello or its Ack has passed: it may be served. */
  passed(peerId: string): boolean {
    const session = this.#peers.get(peerId)?.session
    if (session === undefined) return false
    return session.state === 'HANDSHAKING' ? session.greeted || session.proven : isOpen(session)
  }

  /** A Hello or an Ack has passed on the connection: the peer may be served there. */
  passedOn(connection: Connection): boolean {
    const id = connection.remotePeer.toString()
    return this.passed(id) && this.#peers.get(id)?.greeted.has(connection) === true
  }

  dialing(peerId: string, address: string): void {
    if (this.find(peerId) === undefined) this.#peers.set(peerId, newPeer(peerId, undefined, address, 'outbound'))
  }

  dialFailed(peerId: string): void {
    const peer = this.find(peerId)
    if (peer?.session.state === 'CONNECTING') this.#peers.delete(peerId)
  }

  /** A connection opened. @returns its peer; `first` if the handshake is to begin */
  connected(connection: Connection): Peer {
    const id = connection.remotePeer.toString()
    let peer = this.find(id)
    if (peer === undefined || peer.session.state === 'CONNECTING') {
      peer = newPeer(id, connection.remotePeer, connection.remoteAddr.toString(), connection.direction)
      this.#peers.set(id, peer)
      this.step(peer, { type: 'connected' })
      const { handshakeMs } = this.#options.settings
      peer.connections.add(connection)
      const leaves = connection.direction === 'inbound' ? this.#strangerWhoLeaves(peer) : undefined
      if (leaves !== undefined) this.close(leaves, 'too many peers that have not passed hello')
      if (leaves === peer) return peer
      const late = peer
      peer.timers.handshake = setTimeout(() => this.close(late, `no hello within ${handshakeMs} ms`), handshakeMs)
    }
    peer.connections.add(connection)
    if (peer.connections.size > MAX_CONNECTIONS) {
      // Not one that works, as long as there are others: who has a copy of the key would push out its owner.
      const [oldest] = peer.connections
      const idle = [...peer.connections].find((one) => one !== connection && peer?.greeted.has(one) === false)
      const leaves = idle ?? oldest
      leaves?.abort(new Error('the peer has opened too many connections'))
    }
    return peer
  }

  disconnected(connection: Connection): void {
    const peer = this.#peers.get(connection.remotePeer.toString())
    if (peer === undefined || !peer.connections.delete(connection)) return
    peer.greeted.delete(connection)
    if (peer.connections.size > 0) {
      const other = openConnection(peer)
      if (other !== undefined) peer.address = other.remoteAddr.toString()
      return
    }
    this.#lose(peer, peer.farewell ?? 'the connection closed')
    if (this.#peers.get(peer.id) === peer) this.#peers.delete(peer.id)
  }

  /** Of peers that came to us and have not passed Hello, or were refused there and are still read; those that we dial are bounded by our own list. */
  #strangerWhoLeaves(newcomer: Peer): Peer | undefined {
    // The newest is of most use: an honest Hello takes moments, who says nothing stays for as long as he may.
    const holder = (peer: Peer) => {
      const since = peer.heardAt
      return { peer, networks: peer.networks, rank: Rank.OTHER, use: since, since }
    }
    const strangers = [...this.#peers.values()].filter(
      (peer) => peer !== newcomer && peer.direction === 'inbound' && peer.connections.size > 0 && !isOpen(peer.session)
    )
    const max = this.#options.settings.maxHandshaking
    return whoLeaves(holder(newcomer), strangers.map(holder), { max, perHost: Math.ceil(max / 2) })?.peer
  }

  /** Moves a session; one that can't go there is closed, for then we are confused about the peer. */
  step(peer: Peer, input: SessionInput): void {
    const before = peer.session
    try {
      peer.session = transition(before, input)
    } catch (error) {
      if (!(error instanceof MolochError)) throw error
      this.#options.log.warn({ peer: peer.id, code: error.code }, error.message)
      this.close(peer, error.message)
      return
    }
    if (peer.session === before) return
    if (peer.session.state === 'DETERMINING') {
      clearTimeout(peer.timers.handshake)
      this.emit('opened', peer)
    }
    if (peer.session.state !== 'CLOSED') this.changed(peer)
  }

  /** A Hello or an Ack has passed on this connection. */
  greeted(peer: Peer, connection: Connection, input: 'greeted' | 'proven'): void {
    this.step(peer, { type: input })
    if (this.#admitted.has(connection) || !this.passedOn(connection)) return
    this.#admitted.add(connection)
    this.emit('greeted', peer, connection)
  }

  /** Something that is shown has changed. */
  changed(peer: Peer): void {
    this.emit('update', this.#view(peer))
  }

  becameReady(peer: Peer): void {
    if (peer.ready || !isOpen(peer.session)) return
    peer.ready = true
    this.emit('ready', this.#view(peer))
  }

  /**
   * Refused at Hello, by us or by the peer: say why once, and close. A peer that we refuse closes the connection itself
   * when it has read why; it has a while for that. By the peer: it has said all, so we close at once.
   */
  refuse(peer: Peer, by: 'us' | 'peer', code: string, message: string): void {
    if (peer.session.state !== 'CLOSED') {
      this.#refusals.say(peer, code, message)
      this.#end(peer, `${code}: ${message}`)
      this.emit('refused', peer)
    }
    if (by === 'peer') closeAll(peer)
    else this.#linger(() => closeAll(peer))
  }

  /**
   * One connection of a peer is refused, and its session goes on: as `refuse`, by us. Unless a Hello passes on it meanwhile.
   */
  turnAway(connection: Connection): void {
    this.#linger(() => this.passedOn(connection) || closeOne(connection))
  }

  #linger(close: () => unknown): void {
    const timer = setTimeout(() => {
      this.#lingering.delete(timer)
      close()
    }, this.#options.settings.graceMs)
    this.#lingering.add(timer)
  }

  /** Closes the session and its connections. */
  close(peer: Peer, reason: string): void {
    this.#lose(peer, reason)
    closeAll(peer)
  }

  /** Ends every session; the connections are libp2p's to close. */
  stop(): void {
    for (const peer of this.#peers.values()) this.#end(peer, 'this node stops')
    for (const timer of this.#lingering) clearTimeout(timer)
    this.#lingering.clear()
    this.#peers.clear()
  }

  #lose(peer: Peer, reason: string): void {
    const unanswered = peer.session.state === 'HANDSHAKING'
    this.#end(peer, reason)
    if (unanswered) this.emit('unanswered', peer, reason)
  }

  #end(peer: Peer, reason: string): void {
    if (peer.session.state === 'CLOSED') return
    const shown = peer.session.state !== 'CONNECTING'
    clearTimers(peer)
    this.step(peer, { type: 'closed', reason })
    if (!shown) return
    this.#options.log.debug({ peer: peer.id, address: peer.address }, `session closed: ${reason}`)
    this.emit('closed', this.#view(peer))
  }

  #view(peer: Peer): PeerView {
    return viewOf(peer, this.#options.standing(peer.id))
  }
}

function closeAll(peer: Peer): void {
  for (const connection of peer.connections) closeOne(connection)
}

function closeOne(connection: Connection): void {
  connection.close().catch((error: Error) => connection.abort(error))
}
