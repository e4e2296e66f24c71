import type { CheckedBlock } from '../chain/check-block.ts'
import type { EventWindow } from '../chain/event-window.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import type { Tip } from './head.ts'
import { repeatedEvent } from './repeats.ts'
import { restoreWindow } from './restore.ts'
import type { Stores } from './stores.ts'

export interface RecentEventsParts {
  readonly genesis: Genesis
  readonly stores: Stores
  readonly window: EventWindow
  /** Unix ms: `window` has the events of all blocks from then on. */
  readonly windowStart: number
}

/** The events of the last two windows, and how far back all of them are known. */
export class RecentEvents {
  readonly #genesis: Genesis
  readonly #stores: Stores
  #window: EventWindow
  #start: number

  constructor({ genesis, stores, window, windowStart }: RecentEventsParts) {
    this.#genesis = genesis
    this.#stores = stores
    this.#window = window
    this.#start = windowStart
  }

  has(id: Uint8Array): boolean {
    return this.#window.has(id)
  }

  /** Whether none can be missing: every block younger than two windows before the tip is known. */
  isWhole(tip: Tip): boolean {
    return this.#start <= this.#oldest(tip)
  }

  /** The first event of the block that is in an ancestor. */
  repeatedIn(block: CheckedBlock): Failure | undefined {
    return repeatedEvent(this.#window, block)
  }

  /** Takes in finalized blocks, in their order. */
  add(blocks: readonly CheckedBlock[]): void {
    for (const block of blocks) {
      this.#window.add(block.header.timestamp, block.eventIds)
      this.#window.prune(block.header.timestamp)
    }
  }

  /**
   * Takes in history, once it is held down to a height that makes them whole. No block may be added meanwhile.
   * @param start timestamp of the earliest block, Unix ms
   * @returns whether that made them whole
   */
  async widen(tip: Tip, earliest: number, start: number): Promise<boolean> {
    if (this.isWhole(tip)) return false
    if (start > this.#oldest(tip)) return false
    this.#window = await restoreWindow(this.#genesis, this.#stores, tip, earliest)
    this.#start = start
    return true
  }

  #oldest(tip: Tip): number {
    return tip.header.timestamp - 2 * this.#genesis.params.eventWindowMs
  }
}
