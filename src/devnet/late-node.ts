/** Watches the node that joins late: its download from genesis, then the blocks that it follows by gossip. */
import type { NodeStatus } from './api-client.ts'
import type { LateNodeResult } from './result.ts'

/** Blocks that it must take by gossip before a run may end. */
const FOLLOWED_BLOCKS = 3

export class LateNode {
  readonly #networkHeight: number
  #followFrom: number | undefined
  #followed = 0

  /** @param networkHeight the finalized height of the others when it was started */
  constructor(networkHeight: number) {
    this.#networkHeight = networkHeight
  }

  /** Takes its newest status. */
  see({ sync, finalized }: NodeStatus): void {
    if (finalized.height < this.#networkHeight || sync.strategy !== 'gossip') {
      this.#followFrom = undefined
      return
    }
    this.#followFrom ??= finalized.height
    this.#followed = Math.max(this.#followed, finalized.height - this.#followFrom)
  }

  get done(): boolean {
    return this.#followed >= FOLLOWED_BLOCKS
  }

  /** For people. */
  get note(): string {
    if (this.#followFrom === undefined) return `the late node downloads ${this.#networkHeight} blocks or more`
    return `the late node has followed ${this.#followed} blocks by gossip`
  }
}

export type { LateNodeResult }
