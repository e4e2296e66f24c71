import type { CheckedBlock, NextBlock } from '../chain/check-block.ts'
import { checkLink } from '../chain/check-block.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { genesisBlockHash, genesisHeader } from '../chain/header.ts'
import { leafHash } from '../chain/merkle.ts'
import { Mmr, type MmrNode } from '../chain/mmr.ts'
import { StateIndexes } from '../chain/state.ts'
import type { Header } from '../codec/generated/chain.ts'

/** The last block of a chain. */
export interface Tip {
  readonly height: number
  readonly hash: Uint8Array
  readonly header: Header
  /** Root after this block: what the next header must carry. */
  readonly mmrRoot: Uint8Array
}

/** What a chain's past comes to, as a database keeps it. */
export interface ChainSummary {
  readonly hash: Uint8Array
  readonly header: Header
  readonly mmr: Mmr
  readonly state: StateIndexes
}

/**
 * The end of a chain in memory: what the next header must carry, moved on block by block. Knows no disk: the ledger
 * writes what it says, `db verify` compares it with what is written, and test chains are made by it alone.
 */
export class ChainHead {
  readonly genesis: Genesis
  readonly state: StateIndexes
  readonly #mmr: Mmr
  #tip: Tip
  #next: NextBlock

  constructor(genesis: Genesis, { hash, header, mmr, state }: ChainSummary) {
    this.genesis = genesis
    this.state = state
    this.#mmr = mmr
    this.#tip = { height: header.height, hash, header, mmrRoot: mmr.root() }
    this.#next = this.#following()
  }

  /** Block 0, and the MMR nodes that it makes. */
  static atGenesis(genesis: Genesis): { head: ChainHead; nodes: MmrNode[] } {
    const mmr = new Mmr()
    const hash = genesisBlockHash(genesis)
    const nodes = mmr.append(leafHash(hash))
    const head = new ChainHead(genesis, { hash, header: genesisHeader(genesis), mmr, state: new StateIndexes() })
    return { head, nodes }
  }

  get tip(): Tip {
    return this.#tip
  }

  get next(): NextBlock {
    return this.#next
  }

  /** The first fault of a block as the next one: of its links, or of those that its stateless checks found. */
  check(block: CheckedBlock): Failure | undefined {
    return checkLink(this.genesis, this.#next, block)
  }

  /** Makes a block that `check` found no fault in the tip. The MMR nodes that it makes, its leaf first. */
  advance(block: CheckedBlock): MmrNode[] {
    const nodes = this.#mmr.append(leafHash(block.hash))
    this.state.fold(block)
    this.#tip = { height: block.height, hash: block.hash, header: block.header, mmrRoot: this.#mmr.root() }
    this.#next = this.#following()
    return nodes
  }

  #following(): NextBlock {
    const { height, hash, header, mmrRoot } = this.#tip
    const { params, validators } = this.genesis
    const atSnapshot = (height + 1) % params.snapshotInterval === 0
    return {
      height: height + 1,
      parentHash: hash,
      mmrRoot,
      // Only there is it computed: it covers the events of blocks 1 … height (protocol §6).
      stateRoot: atSnapshot ? this.state.root(validators.hash) : header.stateRoot,
      parentTimestamp: header.timestamp
    }
  }
}
