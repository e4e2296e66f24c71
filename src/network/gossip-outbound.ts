import type { Connection, PeerId, Stream } from '@libp2p/interface'
import type { Log } from '../log.ts'

/** A peer whose gossip stream did not open when it was tried again waits this long for the next try. */
const REOPEN_EVERY_MS = 10_000

/** What is wrapped and called of gossipsub's class. */
export interface WrittenRouter {
  readonly streamsOutbound: Map<string, { rawStream: Stream }>
  onPeerConnected(peerId: PeerId, connection: Connection): void
  createOutboundStream(peerId: PeerId, connection: Connection): Promise<void>
}

export interface OutboundOptions {
  readonly graceMs: number
  /** Open connections of peers past Hello. */
  readonly connections: () => Iterable<Connection>
  readonly log: Log
}

/** The streams that gossip is written to: opens them side by side, and those that are missing again. */
export class GossipOutbound {
  readonly #options: OutboundOptions
  readonly #opening = new Set<string>()
  /** When streams were tried again. */
  readonly #tried = new Map<string, number>()
  #router: WrittenRouter | undefined

  constructor(options: OutboundOptions) {
    this.#options = options
  }

  /** @param router before it is started */
  attach(router: WrittenRouter): void {
    this.#router = router
    const open = router.createOutboundStream.bind(router)
    // gossipsub opens one after the other, and a peer that does not answer would hold up all that come after it.
    router.createOutboundStream = async (peerId, connection) => {
      const id = peerId.toString()
      if (this.#opening.has(id)) return
      this.#opening.add(id)
      void open(peerId, connection).finally(() => {
        this.#opening.delete(id)
        // It did open: should it be reset before the next heartbeat, that is no reason to wait.
        if (router.streamsOutbound.has(id)) this.#tried.delete(id)
      })
    }
  }

  stop(): void {
    this.#tried.clear()
  }

  forget(peerId: string): void {
    this.#tried.delete(peerId)
  }

  /**
   * Opens the streams that are missing; called with each heartbeat. gossipsub opens one when a connection does, and never
   * again: after a reset it would be silent to that peer for as long as the connection lives. Nor does it move to a newer
   * connection while the stream of an older one seems open: that may be to a process that is gone.
   */
  watch(): void {
    const router = this.#router
    if (router === undefined) return
    const now = performance.now()
    for (const connection of this.#options.connections()) {
      const id = connection.remotePeer.toString()
      const stream = router.streamsOutbound.get(id)?.rawStream
      if (stream?.remoteWriteStatus === 'closed') {
        // The peer has dropped our stream without a reset; nobody reads it.
        stream.abort(new Error('the peer has closed its end of the gossip stream'))
        continue
      }
      if (stream !== undefined && !connection.streams.includes(stream)) {
        // Closed and not reset: at a reset a live peer forgets us, and what it opens then is moved in turn, for ever.
        const signal = AbortSignal.timeout(this.#options.graceMs)
        stream.close({ signal }).catch((error: Error) => stream.abort(error))
        router.streamsOutbound.delete(id)
      } else if (stream !== undefined) {
        continue
      }
      if (now - (this.#tried.get(id) ?? Number.NEGATIVE_INFINITY) < REOPEN_EVERY_MS) continue
      this.#tried.set(id, now)
      this.#options.log.debug({ peer: id }, 'gossip stream opened again')
      router.onPeerConnected(connection.remotePeer, connection)
    }
  }
}
