import { decodeCommit } from '../chain/commit.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Head } from '../network/types.ts'

/** The finalized tip with the commit that proves it, as peers are told of it: always of one block. */
export class HeadView {
  readonly #ledger: Ledger
  #head: Omit<Head, 'syncing' | 'earliestHeight'>

  private constructor(ledger: Ledger, head: Omit<Head, 'syncing' | 'earliestHeight'>) {
    this.#ledger = ledger
    this.#head = head
    ledger.on('finalized', ({ block }) => {
      const { height, hash, mmrRoot, header } = ledger.tip
      // Of several blocks written at once each is told of; only the last one is the tip.
      if (block.height === height) this.#head = { height, hash, mmrRoot, header, commit: block.commit }
    })
  }

  static async open(ledger: Ledger): Promise<HeadView> {
    const { height, hash, mmrRoot, header } = ledger.tip
    const commit = await ledger.commitAt(height)
    return new HeadView(ledger, {
      height,
      hash,
      mmrRoot,
      header,
      commit: commit === undefined ? undefined : decodeCommit(commit)
    })
  }

  get(syncing: boolean): Head {
    return { ...this.#head, earliestHeight: this.#ledger.earliestHeight, syncing }
  }
}
