import type { Log } from '../log.ts'
import type { Peer } from './peer.ts'

/** Refusals remembered; above it the oldest is forgotten. */
const MAX_REFUSED = 1024

/** Peers refused at Hello, by either side: one that comes again and again is one line. */
export class RefusalLog {
  readonly #log: Log
  readonly #everyMs: number
  /** Peer id to when its refusal was logged at warn (monotonic ms). */
  readonly #warned = new Map<string, number>()

  constructor(log: Log, everyMs: number) {
    this.#log = log
    this.#everyMs = everyMs
  }

  say(peer: Peer, code: string, message: string): void {
    const details = { peer: peer.id, address: peer.address, code }
    // Of a copied key is said once, whoever refuses us for it (own-key.ts).
    if (code === 'KEY_IN_USE') {
      this.#log.debug(details, `peer refused at hello: ${message}`)
      return
    }
    const now = performance.now()
    const warned = this.#warned.get(peer.id)
    if (warned !== undefined && now - warned < this.#everyMs) {
      this.#log.debug(details, `peer refused at hello again: ${message}`)
      return
    }
    this.#log.warn(details, `peer refused at hello: ${message}`)
    this.#warned.delete(peer.id)
    this.#warned.set(peer.id, now)
    const oldest = this.#warned.keys().next().value
    if (this.#warned.size > MAX_REFUSED && oldest !== undefined) this.#warned.delete(oldest)
  }
}
