import { addressGroup } from './access.ts'

export interface SocketLimits {
  readonly sockets: number
  readonly socketsAnAddress: number
  readonly reservedSockets: number
  readonly reservedMs: number
}

/** What is known of a connection here. */
export interface Socket {
  readonly remoteAddress: string | undefined
  once(name: 'close', listener: () => void): unknown
  destroy(): unknown
}

/**
 * Who has the places for connections. One that waits for a request may be closed for a newer one at any time, so idle ones keep
 * nobody out. While all are at work a new one gets a reserved place, which is for /health alone and for a short time; of
 * those the oldest leaves for the next.
 */
export class Sockets {
  readonly #limits: SocketLimits
  /** With the address that the place is counted for. */
  readonly #places = new Map<Socket, string>()
  readonly #counts = new Map<string, number>()
  /** Those of the above that wait for a request, the longest waiting first. */
  readonly #idle = new Set<Socket>()
  /** The oldest first. */
  readonly #reserved = new Set<Socket>()

  constructor(limits: SocketLimits) {
    this.#limits = limits
  }

  admit(socket: Socket): void {
    const address = addressGroup(socket.remoteAddress ?? '')
    socket.once('close', () => this.#remove(socket))
    if (!this.#makeRoom(address)) {
      this.#reserve(socket)
      return
    }
    this.#places.set(socket, address)
    this.#counts.set(address, this.#countOf(address) + 1)
    this.#idle.add(socket)
  }

  isReserved(socket: Socket): boolean {
    return this.#reserved.has(socket)
  }

  isIdle(socket: Socket): boolean {
    return this.#idle.has(socket)
  }

  /** It has a request. */
  works(socket: Socket): void {
    this.#idle.delete(socket)
  }

  /** All its requests are answered. */
  rests(socket: Socket): void {
    if (this.#places.has(socket)) this.#idle.add(socket)
  }

  #makeRoom(address: string): boolean {
    if (this.#countOf(address) >= this.#limits.socketsAnAddress) return this.#closeIdle(address)
    return this.#places.size < this.#limits.sockets || this.#closeIdle()
  }

  /** @param address of this one only; default: of any */
  #closeIdle(address?: string): boolean {
    for (const socket of this.#idle) {
      if (address !== undefined && this.#places.get(socket) !== address) continue
      this.#remove(socket)
      socket.destroy()
      return true
    }
    return false
  }

  #reserve(socket: Socket): void {
    const [oldest] = this.#reserved
    if (oldest !== undefined && this.#reserved.size >= this.#limits.reservedSockets) {
      this.#remove(oldest)
      oldest.destroy()
    }
    this.#reserved.add(socket)
    const timer = setTimeout(() => socket.destroy(), this.#limits.reservedMs)
    socket.once('close', () => clearTimeout(timer))
  }

  #remove(socket: Socket): void {
    this.#reserved.delete(socket)
    this.#idle.delete(socket)
    const address = this.#places.get(socket)
    if (address === undefined) return
    this.#places.delete(socket)
    const left = this.#countOf(address) - 1
    if (left > 0) this.#counts.set(address, left)
    else this.#counts.delete(address)
  }

  #countOf(address: string): number {
    return this.#counts.get(address) ?? 0
  }
}
