import { equalBytes, toHex } from '../codec/bytes.ts'
import { commitFailure, type SeenFinalized } from './peek.ts'
import type { LedgerPort } from './ports.ts'

/** Final blocks are news up to so far below the tip: what was published at about the same time comes in any order. */
const NEWS_HEIGHTS = 16

/** Which final blocks that gossip brings are still to be told to others, though they are final here: the first of a height. */
export class FinalNews {
  readonly #ledger: LedgerPort
  /** Of the last heights, the blocks of which others were told: two of one height are news of their own. */
  readonly #told = new Map<string, number>()

  constructor(ledger: LedgerPort) {
    this.#ledger = ledger
  }

  /** @returns whether it is the first time */
  told(height: number, hash: Uint8Array): boolean {
    const block = toHex(hash)
    if (this.#told.has(block)) return false
    this.#told.set(block, height)
    for (const [old, at] of this.#told) if (at <= this.#ledger.tip.height - NEWS_HEIGHTS) this.#told.delete(old)
    return true
  }

  /**
   * Of a block whose hash is final here. Only the first with a good commit is news, so that a block crosses a link once
   * whatever commits there are for it.
   * @returns `new`, which is remembered; `old`; or the code of what is wrong with its commit
   */
  async judge({ height, hash, blockBytes, commitBytes }: SeenFinalized): Promise<string> {
    if (!this.#isNew(height, hash)) return 'old'
    const ours = await this.#ledger.blockAt(height)
    // The same header in other bytes: they are not what was checked.
    if (ours === undefined || !equalBytes(ours.blockBytes, blockBytes) || !this.#isNew(height, hash)) return 'old'
    const failure = commitFailure(this.#ledger.genesis, commitBytes, { height, hash })
    if (failure !== undefined) return failure
    this.told(height, hash)
    return 'new'
  }

  #isNew(height: number, hash: Uint8Array): boolean {
    return height > this.#ledger.tip.height - NEWS_HEIGHTS && !this.#told.has(toHex(hash))
  }
}
