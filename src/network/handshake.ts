import type { Connection } from '@libp2p/interface'
import { toHex } from '../codec/bytes.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { Peer } from './peer.ts'
import type { PeerSessions } from './sessions.ts'
import { type RequestLimits, requestOne } from './streams/client.ts'
import type { Frame } from './streams/frames.ts'
import {
  checkAck,
  checkHello,
  type Greeting,
  HELLO_PROTOCOL,
  type Identity,
  makeAck,
  makeHello,
  makeRefusedAck,
  newNonce
} from './streams/hello.ts'
import type { Asker, Handler } from './streams/server.ts'
import type { Head } from './types.ts'

export interface HandshakeOptions {
  readonly identity: Identity
  readonly head: () => Head
  readonly sessions: PeerSessions
  readonly limits: RequestLimits
  readonly log: Log
}

/** The peer is not one of ours, now and for a while. */
const REFUSALS = new Set(['WRONG_CHAIN', 'WRONG_GENESIS', 'WRONG_VERSION', 'BAD_SIGNATURE', 'BAD_FRAME', 'BAD_REQUEST'])
/** A Hello that failed for another reason is tried again after this long, until the handshake's time is over. */
const RETRY_MS = 500

/** Hello in both directions. Every connection gets one: behind a second one there may be a restarted peer. */
export class Handshake {
  readonly #options: HandshakeOptions

  constructor(options: HandshakeOptions) {
    this.#options = options
  }

  /** Opens our Hello on a new connection. */
  async run(peer: Peer, connection: Connection): Promise<void> {
    const { identity, head, sessions, limits, log } = this.#options
    const nonce = newNonce()
    const remote = connection.remotePeer.toMultihash().bytes
    try {
      const hello = makeHello(identity, remote, head(), nonce)
      const ack = await requestOne(connection, HELLO_PROTOCOL, hello, limits)
      const greeting = checkAck(identity, remote, nonce, ack, peer.id)
      if (peer.session.state === 'CLOSED') return
      peer.chainKey = toHex(greeting.chainKey)
      greet(peer, greeting)
      sessions.step(peer, { type: 'proven' })
    } catch (error) {
      if (error instanceof MolochError && REFUSALS.has(error.code)) {
        sessions.refuse(peer, 'peer', error.code, error.message)
        return
      }
      if (peer.session.state === 'CLOSED') return
      log.debug({ peer: peer.id, err: messageOf(error) }, 'hello failed')
      if (peer.session.state !== 'HANDSHAKING' || connection.status !== 'open') return
      const after = error instanceof MolochError ? error.details.retryAfterMs : undefined
      clearTimeout(peer.timers.hello)
      peer.timers.hello = setTimeout(
        () => void this.run(peer, connection),
        Math.max(RETRY_MS, typeof after === 'number' ? after : 0)
      )
    }
  }

  /** Answers the peer's Hello. */
  readonly serve: Handler = (frame, asker) => this.#answer(frame, asker)

  async *#answer(frame: Frame, { connection }: Asker): AsyncGenerator<Uint8Array> {
    const { identity, head, sessions } = this.#options
    const remote = connection.remotePeer.toMultihash().bytes
    // The stream may be here before the event of its connection.
    const peer = sessions.connected(connection)
    const result = checkHello(identity, remote, frame)
    if ('refused' in result) {
      yield makeRefusedAck(identity, head(), result.requestNonce, result.refused)
      sessions.refuse(peer, 'us', result.refused.code, result.refused.message)
      return
    }
    // Before the Ack: once it has that, the peer may ask for more.
    greet(peer, result.greeting)
    if (peer.session.state !== 'CLOSED') sessions.step(peer, { type: 'greeted' })
    yield makeAck(identity, remote, head(), result.greeting.nonce)
  }
}

function greet(peer: Peer, greeting: Greeting): void {
  peer.mode = greeting.mode
  peer.claimedHeight = greeting.headHeight
  peer.earliestHeight = greeting.earliestHeight
}
