import type { MultiaddrConnection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { messageOf } from '../error.ts'
import { networksOf, REACHED_SELF } from './addresses.ts'
import { boundNegotiation } from './negotiation.ts'
import { type Holder, Rank, whoLeaves } from './places.ts'

interface Socket extends Holder {
  readonly connection: MultiaddrConnection
  /** One after the other. */
  readonly number: number
}

/**
 * Inbound sockets whose Noise and Yamux are not done. libp2p counts them, first come, first held; here one host has a
 * part of the places, and when all are taken one of the most crowded network goes.
 */
export class Sockets {
  readonly #max: number
  readonly #perHost: number
  readonly #onOwnId: (from: Multiaddr) => void
  readonly #held = new Map<MultiaddrConnection, Socket>()
  #entered = 0
  /** The newest that closed before it was through. */
  #lastInVain = 0

  /** @param onOwnId whoever has connected from there has this node's own peer key */
  constructor(max: number, perHost: number, onOwnId: (from: Multiaddr) => void = () => {}) {
    this.#max = max
    this.#perHost = perHost
    this.#onOwnId = onOwnId
  }

  get size(): number {
    return this.#held.size
  }

  /** @returns false if there is no place for it */
  enter(connection: MultiaddrConnection): boolean {
    const networks = networksOf(connection.remoteAddr)
    // The newest is of most use: an honest handshake takes moments, who says nothing stays for as long as he may.
    const since = performance.now()
    const number = this.#entered + 1
    const socket = { connection, networks, rank: Rank.OTHER, use: since, since, number }
    const leaves = whoLeaves(socket, [...this.#held.values()], { max: this.#max, perHost: this.#perHost })
    if (leaves === socket) return false
    if (leaves !== undefined) {
      this.leave(leaves.connection)
      leaves.connection.abort(new Error('too many connections that are not through the handshake'))
    }
    this.#entered = number
    this.#held.set(connection, socket)
    boundNegotiation(connection, () => this.#held.get(connection) === socket)
    connection.addEventListener('close', (event) => {
      if ('error' in event && messageOf(event.error).includes(REACHED_SELF)) this.#onOwnId(connection.remoteAddr)
      if (this.#held.has(connection)) this.#lastInVain = Math.max(this.#lastInVain, number)
      this.leave(connection)
    })
    return true
  }

  /** How many there have been. */
  get entered(): number {
    return this.#entered
  }

  /** Whether one has entered since there were so many, and is not through. A node that dials itself has such a one. */
  anyInVainSince(entered: number): boolean {
    return this.#lastInVain > entered || [...this.#held.values()].some(({ number }) => number > entered)
  }

  /** It is through, or gone. */
  leave(connection: MultiaddrConnection): void {
    this.#held.delete(connection)
  }
}
