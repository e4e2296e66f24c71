import type { Connection } from '@libp2p/interface'
import { toHex } from '../codec/bytes.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { Instances } from './instances.ts'
import { NEW_PEER_KEY, type OwnKey } from './own-key.ts'
import type { Peer } from './peer.ts'
import { isOpen } from './session.ts'
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
import { refusal } from './streams/refusal.ts'
import type { Asker, Handler } from './streams/server.ts'
import type { Head } from './types.ts'

export interface HandshakeOptions {
  readonly identity: Identity
  readonly head: () => Head
  readonly sessions: PeerSessions
  readonly limits: RequestLimits
  /** How long a connection may take to answer when another process shows its peer id. */
  readonly instanceMs: number
  readonly ownKey: OwnKey
  readonly log: Log
  /** For what peers do. */
  readonly faults: Log
}

/** The peer is not one of ours, now and for a while. */
const REFUSALS = new Set([
  'WRONG_CHAIN',
  'WRONG_GENESIS',
  'WRONG_VERSION',
  'BAD_SIGNATURE',
  'BAD_FRAME',
  'BAD_REQUEST',
  'KEY_IN_USE'
])
/** A Hello that failed for another reason is tried again after this long, until the handshake's time is over. */
const RETRY_MS = 500

/** Hello in both directions. Every connection gets one: behind a second one there may be a restarted peer. */
export class Handshake {
  readonly #options: HandshakeOptions
  readonly #instances: Instances

  constructor(options: HandshakeOptions) {
    this.#options = options
    this.#instances = new Instances({
      answers: (connection, other) => this.#answers(connection, other),
      onCopy: (peer, first, second) => this.#warnOfCopy(peer, first, second),
      now: () => performance.now()
    })
  }

  /** Opens our Hello on a new connection. */
  async run(peer: Peer, connection: Connection): Promise<void> {
    const { identity, head, sessions, limits, ownKey, log } = this.#options
    const nonce = newNonce()
    const remote = connection.remotePeer.toMultihash().bytes
    try {
      const hello = makeHello(identity, remote, head(), nonce)
      const ack = await requestOne(connection, HELLO_PROTOCOL, hello, limits)
      const greeting = checkAck(identity, remote, nonce, ack, peer.id)
      if (!(await this.#instances.admit(peer, connection, greeting.instance))) {
        sessions.turnAway(connection)
        return
      }
      if (peer.session.state === 'CLOSED') return
      peer.chainKey = toHex(greeting.chainKey)
      greet(peer, greeting)
      sessions.greeted(peer, connection, 'proven')
    } catch (error) {
      if (error instanceof MolochError && REFUSALS.has(error.code)) {
        if (error.code === 'KEY_IN_USE') ownKey.told(peer.id, connection.remoteAddr.toString())
        sessions.refuse(peer, 'peer', error.code, error.message)
        return
      }
      if (peer.session.state === 'CLOSED') return
      log.debug({ peer: peer.id, err: messageOf(error) }, 'hello failed')
      // What more connections than one are for is to be known (instances.ts): without a Hello they are not used.
      if (isOpen(peer.session) && !peer.greeted.has(connection)) sessions.turnAway(connection)
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
    const { identity, head, sessions, ownKey } = this.#options
    const remote = connection.remotePeer.toMultihash().bytes
    // The stream may be here before the event of its connection.
    const peer = sessions.connected(connection)
    const result = checkHello(identity, remote, frame)
    if ('refused' in result) {
      yield makeRefusedAck(identity, head(), result.requestNonce, result.refused)
      sessions.refuse(peer, 'us', result.refused.code, result.refused.message)
      return
    }
    const { greeting } = result
    if (greeting.seesOther) ownKey.told(peer.id, connection.remoteAddr.toString())
    if (!(await this.#instances.admit(peer, connection, greeting.instance))) {
      yield makeRefusedAck(identity, head(), greeting.nonce, refusal('KEY_IN_USE', KEY_IN_USE))
      sessions.turnAway(connection)
      return
    }
    // Before the Ack: once it has that, the peer may ask for more.
    greet(peer, greeting)
    if (peer.session.state !== 'CLOSED') sessions.greeted(peer, connection, 'greeted')
    yield makeAck(identity, remote, head(), greeting.nonce)
  }

  async #answers(connection: Connection, other: string): Promise<boolean> {
    const { identity, head, limits, instanceMs } = this.#options
    const hello = makeHello(identity, connection.remotePeer.toMultihash().bytes, head(), newNonce(), other)
    try {
      await requestOne(connection, HELLO_PROTOCOL, hello, { ...limits, openMs: instanceMs, firstByteMs: instanceMs })
      return true
    } catch {
      return false
    }
  }

  #warnOfCopy(peer: Peer, first: Connection, second: Connection): void {
    const [kept, turnedAway] = [first, second].map(({ remoteAddr }) => remoteAddr.toString())
    this.#options.faults.warn(
      { peer: peer.id, kept, turnedAway, code: 'KEY_IN_USE' },
      `two running nodes use the peer key of ${peer.id}: the one at ${kept} came first and is kept, the one at ${turnedAway} is turned away; ${NEW_PEER_KEY}`
    )
  }
}

/** To the one that is turned away. */
const KEY_IN_USE = 'another running node with this peer key is connected here and answers'

function greet(peer: Peer, greeting: Greeting): void {
  peer.mode = greeting.mode
  peer.claimedHeight = greeting.headHeight
  peer.earliestHeight = greeting.earliestHeight
}
