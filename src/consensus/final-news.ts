import { equalBytes } from '../codec/bytes.ts'
import { commitFailure, type SeenFinalized } from './peek.ts'
import type { LedgerPort } from './ports.ts'
import { Told } from './told.ts'

/** Which final blocks that gossip brings are still to be told to others, though they are final here: the first of a height. */
export class FinalNews {
  readonly #ledger: LedgerPort
  readonly #told: Told

  constructor(ledger: LedgerPort) {
    this.#ledger = ledger
    this.#told = new Told(() => ledger.tip.height)
  }

  /** @returns whether it is the first time */
  told(height: number, hash: Uint8Array): boolean {
    return this.#told.add(height, hash)
  }

  /**
   * Of a block whose hash is final here. Only the first with a good commit is news, so that a block crosses a link once
   * whatever commits there are for it.
   * @returns `new`, which is remembered; `old`; or the code of what is wrong with its commit
   */
  async judge({ height, hash, blockBytes, commitBytes }: SeenFinalized): Promise<string> {
    if (!this.#told.isNews(height, hash)) return 'old'
    const ours = await this.#ledger.blockAt(height)
    // The same header in other bytes: they are not what was checked.
    if (ours === undefined || !equalBytes(ours.blockBytes, blockBytes) || !this.#told.isNews(height, hash)) return 'old'
    const failure = commitFailure(this.#ledger.genesis, commitBytes, { height, hash })
    if (failure !== undefined) return failure
    this.told(height, hash)
    return 'new'
  }
}
