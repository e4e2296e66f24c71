import { MAX_CHANGED_BUCKETS } from './state.ts'

/**
 * Work after which the state is written at the next snapshot height: an event counts 1, a block 4, about their costs
 * when the ledger opens and folds them again (under a second). Rewriting the touched entries at every snapshot height
 * would cost more than the blocks.
 */
const STATE_WORK = 50_000
const BLOCK_WORK = 4
/** With a long snapshot interval it is written between its heights too, or opening would take as long as syncing. */
const MAX_STATE_DEBT = 4
/**
 * A chain that grows at its own pace comes by a snapshot height every minute or so. There the state is written even if
 * little changed, for a snapshot can only be built of what is written.
 */
const FRESH_STATE_MS = 20_000

/** How much of the state is in memory alone, and so when it is to be written. */
export class StateDebt {
  readonly #most: number
  #debt = 0
  #paid = performance.now()

  /** @param most work, in place of STATE_WORK */
  constructor(most = STATE_WORK) {
    this.#most = most
  }

  add(blocks: number, events: number): void {
    this.#debt += events + BLOCK_WORK * blocks
  }

  /** @param changed buckets */
  isDue(atSnapshot: boolean, changed: number): boolean {
    if (atSnapshot && changed > 0 && performance.now() - this.#paid > FRESH_STATE_MS) return true
    return changed > MAX_CHANGED_BUCKETS || this.#debt >= (atSnapshot ? 1 : MAX_STATE_DEBT) * this.#most
  }

  paid(): void {
    this.#debt = 0
    this.#paid = performance.now()
  }
}
