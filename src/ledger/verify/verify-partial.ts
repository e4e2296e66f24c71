import { type CheckedBlock, type CheckResult, checkFinalized, checkHistory } from '../../chain/check-block.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { genesisBlockHash } from '../../chain/header.ts'
import { HASH_BYTES, leafHash } from '../../chain/merkle.ts'
import { Mmr } from '../../chain/mmr.ts'
import { carriesState } from '../../chain/state.ts'
import { equalBytes } from '../../codec/bytes.ts'
import type { StoredRow } from '../../store/block-store.ts'
import { HeightRanges } from '../../store/height-ranges.ts'
import { StateTries } from '../state.ts'
import type { Stores } from '../stores.ts'
import { auditMmrRow, BlockRowAudit, VerifyFault } from './verify-block-rows.ts'
import { stateShapeFault } from './verify-state.ts'

/** Checks encoded FinalizedBlocks, events included. */
export type FullCheck = (frames: Uint8Array[]) => Promise<CheckResult[]>

/**
 * The audit of a database that does not go back to genesis: the range of block hashes as a whole, every block that is
 * held against it (with its certificate from the earliest height up, by its hash below), and every row that follows from
 * a block. The state can't be folded from genesis: it is folded on from where it is on disk, and must come to what the
 * headers after that carry.
 */
export class PartialAudit {
  readonly #genesis: Genesis
  readonly #stores: Stores
  readonly #rows: BlockRowAudit
  readonly #earliest: number
  readonly #held: HeightRanges
  readonly #stateHeight: number
  readonly #state: StateTries
  readonly #mmr = new Mmr()
  #lastHash: Uint8Array = new Uint8Array(HASH_BYTES)
  #last: CheckedBlock | undefined
  #expected: number
  #history = 0
  events = 0

  private constructor(
    genesis: Genesis,
    stores: Stores,
    begun: { rows: BlockRowAudit; earliest: number; held: HeightRanges; stateHeight: number; state: StateTries }
  ) {
    this.#genesis = genesis
    this.#stores = stores
    this.#rows = begun.rows
    this.#earliest = begun.earliest
    this.#held = begun.held
    this.#stateHeight = begun.stateHeight
    this.#state = begun.state
    this.#expected = begun.earliest
  }

  static async begin(genesis: Genesis, stores: Stores): Promise<PartialAudit> {
    const rows = await BlockRowAudit.begin(stores)
    const earliest = await stores.meta.earliest()
    const held = new HeightRanges((await stores.meta.history())?.held)
    const { height: stateHeight, eventTotal } = await stores.meta.stateMark()
    const fault = await stateShapeFault(stores.state)
    if (fault !== undefined) throw new VerifyFault(`state at block ${stateHeight}: ${fault}`)
    const state = await StateTries.open(stores.database, stores.state, eventTotal)
    return new PartialAudit(genesis, stores, { rows, earliest, held, stateHeight, state })
  }

  /** The last block that was found good. */
  get height(): number {
    return this.#last?.height ?? 0
  }

  /** Stored blocks, ascending; those below the earliest height may have gaps between them. */
  async run(rows: readonly StoredRow[], check: FullCheck): Promise<void> {
    const history = rows.filter(({ height }) => height < this.#earliest)
    const whole = rows.filter(({ height }) => height >= this.#earliest)
    const results = [
      ...history.map(({ bytes }) => checkHistory(this.#genesis, bytes)),
      ...(await check(whole.map(({ bytes }) => bytes)))
    ]
    for (const [at, result] of results.entries()) await this.#block((rows[at] as StoredRow).height, result)
  }

  async #block(height: number, result: CheckResult): Promise<void> {
    const wrong = (what: string): VerifyFault => new VerifyFault(`block ${height}: ${what}`)
    const fault = result.ok ? result.block.deferred : result.failure
    if (!result.ok || fault !== undefined) throw wrong(`${fault?.code}: ${fault?.message}`)
    const { block } = result
    if (block.height !== height) throw wrong(`BAD_HEIGHT: it is of height ${block.height}`)
    if (height < this.#earliest && !this.#held.has(height)) throw wrong('it is not among the heights that are held')
    if (height >= this.#earliest && height !== this.#expected++) throw new VerifyFault(missing(this.#expected - 1))
    await this.#leavesUpTo(height)
    const { header } = block
    if (!equalBytes(header.parentHash, this.#lastHash)) throw wrong('BAD_PARENT: it is on another block')
    if (!equalBytes(header.mmrRoot, this.#mmr.root())) throw wrong('BAD_MMR_ROOT: not the root over the blocks before')
    await this.#links(block)
    await this.#leavesUpTo(height + 1)
    if (!equalBytes(block.hash, this.#lastHash)) throw wrong('wrong MMR nodes')
    await this.#rows.block(block, this.#mmr.root())
    if (height > this.#stateHeight) await this.#state.fold(block)
    if (height < this.#earliest) this.#history++
    this.events += header.eventCount
    this.#last = block
  }

  async #links({ height, header }: CheckedBlock): Promise<void> {
    const before = this.#last?.height === height - 1 ? this.#last.header : undefined
    if (before !== undefined && header.timestamp <= before.timestamp) {
      throw new VerifyFault(`block ${height}: BAD_TIMESTAMP: not above that of the block before`)
    }
    const carries = carriesState(this.#genesis.params, height)
    const known = carries && height > this.#stateHeight
    const root = known ? await this.#state.root(this.#genesis.validators.hash) : carries ? undefined : before?.stateRoot
    if (root !== undefined && !equalBytes(header.stateRoot, root)) {
      throw new VerifyFault(`block ${height}: BAD_STATE_ROOT: not what the state comes to`)
    }
  }

  /** The range over blocks 0 … leafCount − 1, each row compared with what it must be. */
  async #leavesUpTo(leafCount: number): Promise<void> {
    while (this.#mmr.leafCount < leafCount) {
      const leaf = this.#mmr.leafCount
      const hash = leaf === 0 ? genesisBlockHash(this.#genesis) : await this.#stores.mmr.blockHash(leaf)
      if (hash === undefined) throw new VerifyFault(`block ${leaf}: wrong MMR nodes`)
      await auditMmrRow(this.#stores, leaf, hash, this.#mmr.append(leafHash(hash)))
      this.#lastHash = hash
    }
  }

  async finish(tipHeight: number): Promise<void> {
    if (this.#expected <= tipHeight) throw new VerifyFault(missing(this.#expected))
    if (this.#history !== this.#held.size) {
      throw new VerifyFault(`there are ${this.#history} blocks of history, not ${this.#held.size}`)
    }
    await this.#rows.finish({ height: tipHeight, hash: this.#lastHash })
  }
}

function missing(height: number): string {
  return `block ${height} is missing`
}

/** Here, one by one. */
export function checkHere(genesis: Genesis): FullCheck {
  return async (frames) => frames.map((bytes) => checkFinalized(genesis, bytes, { verifyEvents: true }))
}
