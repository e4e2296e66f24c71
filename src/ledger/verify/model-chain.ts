import type { CheckedBlock, NextBlock } from '../../chain/check-block.ts'
import type { Failure } from '../../chain/failures.ts'
import type { Genesis } from '../../chain/genesis.ts'
import type { MmrNode } from '../../chain/mmr.ts'
import { StateIndexes } from '../../chain/state.ts'
import { ChainHead, type Tip } from '../head.ts'

/**
 * A chain's end with its state, all in memory. `db verify` moves one on and compares a database with it, so that the
 * tries on disk are held against others; and test chains are made by it alone.
 */
export class ModelChain {
  readonly genesis: Genesis
  readonly state = new StateIndexes()
  /** That block 0 makes. */
  readonly genesisNodes: readonly MmrNode[]
  readonly #head: ChainHead

  constructor(genesis: Genesis) {
    const { head, nodes } = ChainHead.atGenesis(genesis)
    this.genesis = genesis
    this.genesisNodes = nodes
    this.#head = head
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

  /** Makes a block that `check` found no fault in the tip, and folds its events. The MMR nodes that it makes. */
  advance(block: CheckedBlock): MmrNode[] {
    this.state.fold(block)
    const root = this.#head.needsRoot(block.height) ? this.state.root(this.genesis.validators.hash) : undefined
    return this.#head.advance(block, root)
  }
}
