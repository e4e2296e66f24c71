import type { Connection, PeerId, Stream } from '@libp2p/interface'

/** What is wrapped of gossipsub's class. */
export interface GatedRouter {
  onIncomingStream(stream: Stream, connection: Connection): void
  onPeerConnected(peerId: PeerId, connection: Connection): void
}

/**
 * Keeps connections on which no Hello has passed from gossipsub: it does not know of them, and not one byte of what comes is
 * read. The stream that such a peer opened waits, with no more in it than its first window; honest peers put their
 * subscriptions there. Ignoring messages later would not do: their ids would be remembered, and the same message from an
 * honest peer then dropped as seen.
 */
export class GossipGate {
  readonly #passed: (connection: Connection) => boolean
  /** The newest stream of each connection. */
  readonly #held = new Map<Connection, Stream>()
  #router: GatedRouter | undefined

  constructor(passed: (connection: Connection) => boolean) {
    this.#passed = passed
  }

  /** @param router before it is started */
  attach(router: GatedRouter): void {
    const open = router.onIncomingStream.bind(router)
    const connected = router.onPeerConnected.bind(router)
    this.#router = { onIncomingStream: open, onPeerConnected: connected }
    router.onIncomingStream = (stream, connection) => {
      if (this.#passed(connection)) open(stream, connection)
      else this.#hold(stream, connection)
    }
    router.onPeerConnected = (peerId, connection) => {
      if (this.#passed(connection)) connected(peerId, connection)
    }
  }

  /** A Hello has passed: gossipsub hears of the peer, and what it said there before now is read. */
  admit(connection: Connection): void {
    const held = this.#held.get(connection)
    this.#held.delete(connection)
    if (held?.readStatus === 'paused') {
      this.#router?.onIncomingStream(held, connection)
      held.resume()
    }
    this.#router?.onPeerConnected(connection.remotePeer, connection)
  }

  /** How many streams wait. */
  get size(): number {
    return this.#held.size
  }

  #hold(stream: Stream, connection: Connection): void {
    this.#held.get(connection)?.abort(new Error('the peer has opened another gossip stream'))
    // Paused, it takes no more than the window that it began with.
    stream.pause()
    this.#held.set(connection, stream)
    stream.addEventListener('close', () => {
      if (this.#held.get(connection) === stream) this.#held.delete(connection)
    })
  }
}
