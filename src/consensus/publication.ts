/**
 * Who publishes a decided block (protocol §8): its proposer at once; if that died, whoever of the validators is next in
 * rank, after a delay, unless somebody has by then.
 */
import type { Genesis } from '../chain/genesis.ts'
import { equalBytes } from '../codec/bytes.ts'
import { publicationDelay } from './pace.ts'
import type { Clock } from './ports.ts'
import { Timers } from './timers.ts'

/** What goes to the topics of a final block. */
export interface Published {
  /** The FinalizedBlock. */
  readonly finalized: Uint8Array
  /** The TrustedHeader. */
  readonly header: Uint8Array
}

export class Publication {
  readonly #genesis: Genesis
  readonly #timers: Timers
  readonly #publish: (messages: Published) => void
  /** The highest height of which somebody else has published the final block. */
  #seen = 0
  #waiting: { readonly height: number; readonly hash: Uint8Array } | undefined

  constructor(genesis: Genesis, clock: Clock, publish: (messages: Published) => void) {
    this.#genesis = genesis
    this.#timers = new Timers(clock)
    this.#publish = publish
  }

  /** @param self own index; −1 for an observer, which publishes nothing */
  decided(self: number, block: { height: number; hash: Uint8Array; proposer: number }, messages: Published): void {
    if (self < 0) return
    const delay = publicationDelay(self, block.proposer, this.#genesis.validators.size)
    if (delay > 0 && block.height <= this.#seen) return
    if (delay === 0) {
      this.#publish(messages)
      return
    }
    this.#waiting = block
    this.#timers.set('publish', delay, () => {
      this.#waiting = undefined
      this.#publish(messages)
    })
  }

  /** Somebody published a final block. With a false commit it would keep the true one from those who need it. */
  seen(height: number, hash: Uint8Array): void {
    if (height <= this.#seen) return
    this.#seen = height
    const waiting = this.#waiting
    if (waiting?.height === height && equalBytes(waiting.hash, hash)) this.stop()
  }

  stop(): void {
    this.#waiting = undefined
    this.#timers.clearAll()
  }
}
