import { toHex } from '../codec/bytes.ts'

/** Final blocks are news up to so far below the tip: what was published at about the same time comes in any order. */
export const NEWS_HEIGHTS = 16

/** Of the last heights, the blocks of which others were told: two of one height are news of their own. */
export class Told {
  readonly #tip: () => number
  readonly #heights = new Map<string, number>()

  constructor(tip: () => number) {
    this.#tip = tip
  }

  isNews(height: number, hash: Uint8Array): boolean {
    return height > this.#tip() - NEWS_HEIGHTS && !this.#heights.has(toHex(hash))
  }

  /** @returns whether it is the first time */
  add(height: number, hash: Uint8Array): boolean {
    const block = toHex(hash)
    if (this.#heights.has(block)) return false
    this.#heights.set(block, height)
    for (const [old, at] of this.#heights) if (at <= this.#tip() - NEWS_HEIGHTS) this.#heights.delete(old)
    return true
  }
}
