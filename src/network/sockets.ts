import type { MultiaddrConnection } from '@libp2p/interface'
import { networksOf } from './addresses.ts'
import { type Holder, Rank, whoLeaves } from './places.ts'

interface Socket extends Holder {
  readonly connection: MultiaddrConnection
}

/**
 * Inbound sockets whose Noise and Yamux are not done. libp2p counts them, first come, first held; here one host has a
 * part of the places, and when all are taken one of the most crowded network goes.
 */
export class Sockets {
  readonly #max: number
  readonly #perHost: number
  readonly #held = new Map<MultiaddrConnection, Socket>()

  constructor(max: number, perHost: number) {
    this.#max = max
    this.#perHost = perHost
  }

  get size(): number {
    return this.#held.size
  }

  /** @returns false if there is no place for it */
  enter(connection: MultiaddrConnection): boolean {
    const networks = networksOf(connection.remoteAddr)
    const socket = { connection, networks, rank: Rank.OTHER, use: 0, since: performance.now() }
    const leaves = whoLeaves(socket, [...this.#held.values()], { max: this.#max, perHost: this.#perHost })
    if (leaves === socket) return false
    if (leaves !== undefined) {
      this.leave(leaves.connection)
      leaves.connection.abort(new Error('too many connections that are not through the handshake'))
    }
    this.#held.set(connection, socket)
    connection.addEventListener('close', () => this.leave(connection))
    return true
  }

  /** It is through, or gone. */
  leave(connection: MultiaddrConnection): void {
    this.#held.delete(connection)
  }
}
