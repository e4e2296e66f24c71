import type { CheckedEvent } from '../chain/event.ts'
import type { Mempool } from '../chain/mempool.ts'
import type { Log } from '../log.ts'
import type { Outbox } from './outbox.ts'

export interface RestoredPorts {
  readonly mempool: Mempool
  readonly outbox: Outbox
  readonly isFinalized: (id: Uint8Array) => boolean
  readonly log: Log
}

/**
 * Events that were acknowledged before a restart. Those for which the mempool has no room (its limits may have been
 * lowered since) wait here until it has: what was acknowledged is not forgotten.
 */
export class RestoredEvents {
  readonly #mempool: Mempool
  readonly #outbox: Outbox
  readonly #isFinalized: (id: Uint8Array) => boolean
  #waiting: CheckedEvent[]

  constructor(events: readonly CheckedEvent[], { mempool, outbox, isFinalized, log }: RestoredPorts) {
    this.#mempool = mempool
    this.#outbox = outbox
    this.#isFinalized = isFinalized
    this.#waiting = [...events]
    this.place()
    if (this.#waiting.length === 0) return
    log.warn(
      { events: this.#waiting.length },
      'more events wait from before the restart than mempool.max_events, max_bytes or max_per_actor hold; the rest follow as there is room'
    )
  }

  /** Puts as many as fit into the mempool; to be called when events have left it. */
  place(): void {
    if (this.#waiting.length === 0) return
    const unplaced = this.#waiting.filter((event) => !this.#isFinalized(event.id))
    for (const event of this.#mempool.restore(unplaced)) this.#outbox.restore(event)
    this.#waiting = unplaced.filter((event) => !this.#mempool.has(event.id))
  }
}
