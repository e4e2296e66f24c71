import type { MultiaddrResolver } from '@libp2p/interface'
import { CODE_P2P, type Multiaddr } from '@multiformats/multiaddr'
import { dnsaddrResolver } from 'libp2p'

/**
 * Which addresses may be dialled: those of the dials that this node itself has under way, and what they resolve to.
 * libp2p and its parts have ways of their own to dial (peer exchange, reconnecting, opening a stream to a peer id), and
 * some of them let a stranger name the address. All of them ask here.
 */
export class DialGate {
  /** Of each dial under way, its address and what that resolved to. */
  readonly #dials = new Set<Set<string>>()

  /** Runs a dial that we chose; while it runs, its address passes. */
  async choose<T>(address: Multiaddr, dial: () => Promise<T>): Promise<T> {
    const chosen = new Set([placeOf(address)])
    this.#dials.add(chosen)
    try {
      return await dial()
    } finally {
      this.#dials.delete(chosen)
    }
  }

  get isDialling(): boolean {
    return this.#dials.size > 0
  }

  allows(address: Multiaddr): boolean {
    const place = placeOf(address)
    return [...this.#dials].some((chosen) => chosen.has(place))
  }

  /** Whoever chooses a /dnsaddr has chosen all that its record names. */
  readonly resolver: MultiaddrResolver = {
    canResolve: (address) => dnsaddrResolver.canResolve(address),
    resolve: async (address, options) => {
      const resolved = await dnsaddrResolver.resolve(address, options)
      for (const chosen of this.#dials) {
        if (chosen.has(placeOf(address))) for (const one of resolved) chosen.add(placeOf(one))
      }
      return resolved
    }
  }
}

/** An address without the peer that is expected there. */
function placeOf(address: Multiaddr): string {
  return address.decapsulateCode(CODE_P2P).toString()
}
