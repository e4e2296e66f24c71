import type { CheckedBlock, NextBlock } from '../../chain/check-block.ts'
import type { Failure } from '../../chain/failures.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { StateIndexes } from '../../chain/state.ts'
import { ChainHead, type Tip } from '../head.ts'

/**
 * A chain's end with its state, all in memory. `db verify` moves one on and compares a database with it, so that the
 * tries on disk are held against others; and test chains are made by it alone.
 */
export class ModelChain {
  readonly genesis: Genesis
  readonly state = new StateIndexes()
  readonly #head: ChainHead

  constructor(genesis: Genesis) {
    this.genesis = genesis
    this.#head = ChainHead.atGenesis(genesis)
  }

  get tip(): Tip {
    return this.#head.tip
  }

  get next(): NextBlock {
    return this.#head.next
  }

  /** See ChainHead. */
  check(block: CheckedBlock): Failure | undefined {
    return this.#head.check(block)
  }

  /** Makes a block that `check` found no fault in the tip, and folds its events. @returns see ChainHead */
  advance(block: CheckedBlock): Uint8Array[] {
    this.state.fold(block)
    const root = this.#head.needsRoot(block.height) ? this.state.root(this.genesis.validators.hash) : undefined
    return this.#head.advance(block, root)
  }
}
