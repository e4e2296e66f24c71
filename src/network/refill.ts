import type { PeerRecord } from '../store/peer-store.ts'
import type { Dialer } from './dialer.ts'
import type { KnownPeers } from './known-peers.ts'

export interface RefillOptions {
  /** With fewer open sessions known peers are dialled. */
  readonly wanted: number
  readonly known: KnownPeers
  readonly dialer: Pick<Dialer, 'add'>
  readonly open: () => number
  readonly isConnected: (peerId: string) => boolean
  /** 0 … 1. */
  readonly random: () => number
}

/**
 * Brings a node back into the mesh when its peers are gone: bootstrap peers may be down for good, while those met before
 * are still there. Called now and then; the dialer does the dialling, with its own backoff.
 */
export class Refill {
  readonly #options: RefillOptions

  constructor(options: RefillOptions) {
    this.#options = options
  }

  /** @returns how many peers are to be dialled */
  tick(): number {
    const { wanted, known, dialer, open, isConnected } = this.#options
    const missing = wanted - open()
    if (missing <= 0) return 0
    const away = known.withAddress().filter(({ peerId }) => !isConnected(peerId) && known.holdOn(peerId) === undefined)
    const chosen = this.#some(away, missing)
    for (const { peerId, addresses } of chosen) {
      for (const address of addresses) dialer.add(address, { peerId, quiet: true })
    }
    return chosen.length
  }

  /** At random: the same few dead ones must not be tried for ever. */
  #some(records: PeerRecord[], count: number): PeerRecord[] {
    const left = [...records]
    const chosen: PeerRecord[] = []
    while (chosen.length < count && left.length > 0) {
      const at = Math.min(left.length - 1, Math.floor(this.#options.random() * left.length))
      chosen.push(...left.splice(at, 1))
    }
    return chosen
  }
}
