import type { RequestEnd } from '../events.ts'
import { PeerBook } from '../peers.ts'
import { DEFAULT_RETRY_AFTER_MS, MAX_RETRY_AFTER_MS } from '../policy/backoff.ts'
import type { SyncPeer } from '../types.ts'

/** Whom certificates may be asked of, and what came of it: blocks are another protocol, with limits of its own. */
export class Holders {
  readonly #book = new PeerBook()
  readonly #now: () => number
  readonly #isBarred: (id: string) => boolean

  /** @param isBarred whether a peer provably did wrong */
  constructor(now: () => number, isBarred: (id: string) => boolean) {
    this.#now = now
    this.#isBarred = isBarred
  }

  get size(): number {
    return this.#book.size
  }

  set({ id, height, earliest }: SyncPeer): void {
    this.#book.set(id, height, earliest)
  }

  remove(id: string): void {
    this.#book.remove(id)
  }

  pardon(id: string): void {
    this.#book.find(id)?.pardoned()
  }

  /**
   * Who holds the block, has done no wrong, and neither failed nor asked for a pause a moment ago. Who failed last time
   * comes last: one whose answers always fail must not keep the others from being asked.
   */
  of(height: number): string[] {
    const at = this.#now()
    return [...this.#book]
      .filter((peer) => peer.holds(height) && at >= peer.notBefore && !this.#isBarred(peer.id))
      .sort((a, b) => a.failures - b.failures)
      .map(({ id }) => id)
  }

  /**
   * An answer ended so: asked again at once, round after round, a peer that says when to come back would take us for a
   * flood, and each round would wait for one that does not answer.
   */
  answered(id: string, end: Exclude<RequestEnd, { kind: 'fault' }>): void {
    const at = this.#now()
    const peer = this.#book.find(id)
    if (end.kind === 'complete') peer?.answeredInFull()
    else if (end.kind !== 'limited') peer?.failed(at, end.code)
    else peer?.limited(at, Math.min(MAX_RETRY_AFTER_MS, end.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS))
  }
}
