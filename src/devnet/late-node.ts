/** Watches the node that joins late: its download from genesis, then the blocks that it follows by gossip. */
import type { NodeStatus } from './api-client.ts'

/** Blocks that it must take by gossip before a run may end. */
const FOLLOWED_BLOCKS = 3

export interface LateNodeResult {
  /** Where its download began. */
  readonly from_height: number
  readonly blocks: number
  readonly seconds: number
  readonly blocks_per_second: number
  /** Peers that gave blocks which were kept. */
  readonly peers_used: number
}

export class LateNode {
  readonly #networkHeight: number
  #download: NonNullable<NodeStatus['sync']['last_run']> | undefined
  #followFrom: number | undefined
  #followed = 0

  /** @param networkHeight the finalized height of the others when it was started */
  constructor(networkHeight: number) {
    this.#networkHeight = networkHeight
  }

  /** Takes its newest status. */
  see({ sync, finalized }: NodeStatus): void {
    const run = sync.last_run
    // A node that is slow to hear of the newest blocks may fetch one or two more; its download is the large run.
    if (run !== null && lengthOf(run) > lengthOf(this.#download)) this.#download = run
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
    if (this.#followFrom !== undefined) return `the late node has followed ${this.#followed} blocks by gossip`
    return `the late node has ${this.#networkHeight} blocks and more to download`
  }

  get result(): LateNodeResult | undefined {
    if (this.#download === undefined) return undefined
    const { from_height, seconds, peers_used } = this.#download
    const blocks = lengthOf(this.#download)
    return {
      from_height,
      blocks,
      seconds: round(seconds, 3),
      blocks_per_second: round(blocks / Math.max(seconds, 0.001), 1),
      peers_used
    }
  }
}

function lengthOf(run: NodeStatus['sync']['last_run'] | undefined): number {
  return run ? run.to_height - run.from_height : 0
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
