import type { CheckedEvent } from '../chain/event.ts'
import type { Genesis } from '../chain/genesis.ts'
import type { Mempool } from '../chain/mempool.ts'
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'

/** Going through the whole mempool at every block would cost more than the blocks; windows are minutes long. */
const EVERY_MS = 10_000

export interface ExpiryPorts {
  readonly genesis: Genesis
  readonly mempool: Mempool
  /** Moves them out of the waiting events on disk; they are kept there to be signed again. */
  readonly expire: (events: readonly CheckedEvent[]) => Promise<void>
  readonly log: Log
}

/** Takes events out of the mempool whose window has passed: no block may hold them any more (protocol §3). */
export class Expiry {
  readonly #ports: ExpiryPorts
  #last = 0

  constructor(ports: ExpiryPorts) {
    this.#ports = ports
  }

  /** @param timestamp of the block that became final, Unix ms */
  finalized(timestamp: number): void {
    if (timestamp < this.#last + EVERY_MS) return
    this.#last = timestamp
    const { genesis, mempool, expire, log } = this.#ports
    const expired = mempool.expire(timestamp, genesis.params.eventWindowMs)
    if (expired.length === 0) return
    log.warn({ events: expired.length }, 'events left the mempool: no block may take them any more')
    expire(expired).catch((error: unknown) => {
      log.error({ events: expired.length, reason: messageOf(error) }, 'expired events could not be moved on disk')
    })
  }
}
