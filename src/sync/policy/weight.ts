/**
 * What blocks weigh against the look-ahead bound, in bytes: twice their wire form, because the ids and key hashes that
 * the checker derives (128 bytes an event) can weigh as much as small events do, and a constant a block for the
 * objects around it, so that a flood of empty blocks is bounded too.
 */
export const BLOCK_OVERHEAD_BYTES = 1024

export function heldBytes(blocks: number, wireBytes: number): number {
  return 2 * wireBytes + BLOCK_OVERHEAD_BYTES * blocks
}

/** Smoothing of the measured block weight: half of each new answer, so that a change shows within two answers. */
const WEIGHT_SMOOTHING = 0.5

/** The weight of blocks as the last answers had it; undefined before the first. */
export class BlockWeight {
  #average: number | undefined
  #last = 0

  add(blocks: number, bytes: number): void {
    this.#last = bytes / blocks
    this.#average =
      this.#average === undefined ? this.#last : this.#average + WEIGHT_SMOOTHING * (this.#last - this.#average)
  }

  /** Wire bytes a block, the larger of the average and the last: blocks that grow are met with smaller ranges at once. */
  get bytesPerBlock(): number | undefined {
    return this.#average === undefined ? undefined : Math.max(this.#average, this.#last)
  }
}
