/** Messages of one peer that are being checked. */
interface Load {
  count: number
  bytes: number
}

/**
 * Bytes of one peer's messages that are being checked; more are ignored. Against a peer that fills our memory with large
 * messages faster than they are checked: a count alone allows gigabytes.
 */
const MAX_BYTES = 16 << 20

/** What of each peer is under validation, bounded. */
export class Validating {
  readonly #maxCount: number
  readonly #loads = new Map<string, Load>()

  constructor(maxCount: number) {
    this.#maxCount = maxCount
  }

  /** @returns false if the peer has too much under validation already; else call `leave` with the same bytes */
  enter(peerId: string, bytes: number): boolean {
    const load = this.#loads.get(peerId) ?? { count: 0, bytes: 0 }
    if (load.count >= this.#maxCount || load.bytes + bytes > MAX_BYTES) return false
    load.count += 1
    load.bytes += bytes
    this.#loads.set(peerId, load)
    return true
  }

  leave(peerId: string, bytes: number): void {
    const load = this.#loads.get(peerId)
    if (load === undefined) return
    load.count -= 1
    load.bytes -= bytes
    if (load.count === 0) this.#loads.delete(peerId)
  }
}
