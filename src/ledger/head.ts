import type { CheckedBlock, NextBlock } from '../chain/check-block.ts'
import { checkLink } from '../chain/check-block.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { genesisBlockHash, genesisHeader } from '../chain/header.ts'
import { leafHash } from '../chain/merkle.ts'
import { Mmr } from '../chain/mmr.ts'
import { carriesState } from '../chain/state.ts'
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
  /** Over the events so far; needed if the next header carries it, which `carriesState` tells. */
  readonly stateRoot: Uint8Array | undefined
}

/**
 * The end of a chain in memory: what the next header must carry, moved on block by block. Knows neither disk nor state:
 * whoever moves it on folds the events, and gives it a state root where the next header carries one.
 */
export class ChainHead {
  readonly genesis: Genesis
  readonly #mmr: Mmr
  #tip: Tip
  #next: NextBlock

  constructor(genesis: Genesis, { hash, header, mmr, stateRoot }: ChainSummary) {
    this.genesis = genesis
    this.#mmr = mmr
    this.#tip = { height: header.height, hash, header, mmrRoot: mmr.root() }
    this.#next = this.#following(stateRoot)
  }

  static atGenesis(genesis: Genesis): ChainHead {
    const mmr = new Mmr()
    const hash = genesisBlockHash(genesis)
    mmr.append(leafHash(hash))
    const header = genesisHeader(genesis)
    return new ChainHead(genesis, { hash, header, mmr, stateRoot: header.stateRoot })
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

  /** Whether `advance` needs a state root to make a block of this height the tip. */
  needsRoot(height: number): boolean {
    return carriesState(this.genesis.params, height + 1)
  }

  /**
   * Makes a block that `check` found no fault in the tip.
   * @param stateRoot over all events up to this block; not looked at unless `needsRoot`
   * @returns the MMR parents that it completes, lowest first
   */
  advance(block: CheckedBlock, stateRoot: Uint8Array | undefined): Uint8Array[] {
    const parents = this.#mmr.append(leafHash(block.hash))
    this.#tip = { height: block.height, hash: block.hash, header: block.header, mmrRoot: this.#mmr.root() }
    this.#next = this.#following(stateRoot)
    return parents
  }

  #following(stateRoot: Uint8Array | undefined): NextBlock {
    const { height, hash, header, mmrRoot } = this.#tip
    const next = this.needsRoot(height) ? stateRoot : header.stateRoot
    if (next === undefined) throw new TypeError(`header ${height + 1} carries a state root: it was not given`)
    return { height: height + 1, parentHash: hash, mmrRoot, stateRoot: next, parentTimestamp: header.timestamp }
  }
}
