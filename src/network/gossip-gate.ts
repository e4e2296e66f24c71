import type { Connection, PeerId, Stream } from '@libp2p/interface'

/** What is wrapped of gossipsub's class. */
export interface GatedRouter {
  onIncomingStream(stream: Stream, connection: Connection): void
  onPeerConnected(peerId: PeerId, connection: Connection): void
}

interface Held {
  readonly stream: Stream
  readonly connection: Connection
}

/**
 * Keeps peers that have not passed Hello from gossipsub: it does not know of them, and not one byte of what they send is
 * read. The stream that such a peer opened waits, with no more in it than its first window; honest peers put their
 * subscriptions there. Ignoring messages later would not do: their ids would be remembered, and the same message from an
 * honest peer then dropped as seen.
 */
export class GossipGate {
  readonly #passed: (peerId: string) => boolean
  /** The newest stream of each peer. */
  readonly #held = new Map<string, Held>()
  #router: GatedRouter | undefined

  constructor(passed: (peerId: string) => boolean) {
    this.#passed = passed
  }

  /** @param router before it is started */
  attach(router: GatedRouter): void {
    const open = router.onIncomingStream.bind(router)
    const connected = router.onPeerConnected.bind(router)
    this.#router = { onIncomingStream: open, onPeerConnected: connected }
    router.onIncomingStream = (stream, connection) => {
      if (this.#passed(connection.remotePeer.toString())) open(stream, connection)
      else this.#hold(stream, connection)
    }
    router.onPeerConnected = (peerId, connection) => {
      if (this.#passed(peerId.toString())) connected(peerId, connection)
    }
  }

  /** The peer has passed Hello: gossipsub hears of it, and what it said before now is read. */
  admit(peerId: string, connections: Iterable<Connection>): void {
    const held = this.#held.get(peerId)
    this.#held.delete(peerId)
    if (held?.stream.readStatus === 'paused') {
      this.#router?.onIncomingStream(held.stream, held.connection)
      held.stream.resume()
    }
    for (const connection of connections) this.#router?.onPeerConnected(connection.remotePeer, connection)
  }

  /** How many streams wait. */
  get size(): number {
    return this.#held.size
  }

  #hold(stream: Stream, connection: Connection): void {
    const id = connection.remotePeer.toString()
    this.#held.get(id)?.stream.abort(new Error('the peer has opened another gossip stream'))
    // Paused, it takes no more than the window that it began with.
    stream.pause()
    this.#held.set(id, { stream, connection })
    stream.addEventListener('close', () => {
      if (this.#held.get(id)?.stream === stream) this.#held.delete(id)
    })
  }
}
