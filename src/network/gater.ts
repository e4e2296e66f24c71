import type { ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Bans remembered; above it the oldest is forgotten. */
const MAX_BANS = 4096

export interface GaterOptions {
  readonly banMs: number
  readonly maxPerIp: number
  /** Remote addresses of the connections there are. */
  readonly connected: () => Iterable<Multiaddr>
  /** Monotonic ms. */
  readonly now: () => number
}

/** Who may connect: no banned peer, and not too many from one address. */
export class Gater {
  readonly #options: GaterOptions
  /** Peer id to the end of its ban. */
  readonly #bans = new Map<string, number>()

  constructor(options: GaterOptions) {
    this.#options = options
  }

  ban(peerId: string): void {
    this.#bans.delete(peerId)
    this.#bans.set(peerId, this.#options.now() + this.#options.banMs)
    const oldest = this.#bans.keys().next().value
    if (this.#bans.size > MAX_BANS && oldest !== undefined) this.#bans.delete(oldest)
  }

  isBanned(peerId: string): boolean {
    const until = this.#bans.get(peerId)
    if (until === undefined) return false
    if (until > this.#options.now()) return true
    this.#bans.delete(peerId)
    return false
  }

  /** What libp2p asks. */
  readonly rules: ConnectionGater = {
    denyDialPeer: (peerId: PeerId) => this.isBanned(peerId.toString()),
    denyOutboundEncryptedConnection: (peerId: PeerId) => this.isBanned(peerId.toString()),
    denyInboundEncryptedConnection: (peerId: PeerId) => this.isBanned(peerId.toString()),
    denyInboundConnection: (connection: MultiaddrConnection) => this.#crowded(connection.remoteAddr)
  }

  #crowded(from: Multiaddr): boolean {
    const ip = ipOf(from)
    let count = 0
    for (const address of this.#options.connected()) if (ip !== undefined && ipOf(address) === ip) count += 1
    return count >= this.#options.maxPerIp
  }
}

function ipOf(address: Multiaddr): string | undefined {
  return address.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6')?.value
}
