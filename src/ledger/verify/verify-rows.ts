import type { CheckedBlock } from '../../chain/check-block.ts'
import { checkEvent } from '../../chain/event.ts'
import { EventWindow } from '../../chain/event-window.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { repeatedEvent } from '../repeats.ts'
import type { Stores } from '../stores.ts'
import type { ModelChain } from './model-chain.ts'
import { auditMmrRow, BlockRowAudit, VerifyFault } from './verify-block-rows.ts'
import { stateFault } from './verify-state.ts'

/** Compares every row that is derived from blocks with what `chain`, moved on from genesis, says it must be. */
export class RowAudit {
  readonly #stores: Stores
  readonly #chain: ModelChain
  readonly #window: EventWindow
  readonly #rows: BlockRowAudit
  readonly #stateHeight: number

  private constructor(
    genesis: Genesis,
    stores: Stores,
    chain: ModelChain,
    begun: { readonly rows: BlockRowAudit; readonly stateHeight: number }
  ) {
    this.#stores = stores
    this.#chain = chain
    this.#window = new EventWindow(genesis.params.eventWindowMs)
    this.#rows = begun.rows
    this.#stateHeight = begun.stateHeight
  }

  static async begin(genesis: Genesis, stores: Stores, chain: ModelChain): Promise<RowAudit> {
    await auditMmrRow(stores, 0, chain.tip.hash, [])
    const stateHeight = (await stores.meta.stateMark()).height
    const audit = new RowAudit(genesis, stores, chain, { rows: await BlockRowAudit.begin(stores), stateHeight })
    if (stateHeight === 0) await audit.#state()
    return audit
  }

  /**
   * The rows of a block that was checked and by which the chain has just moved on.
   * @param parents that it completed in the range of block hashes
   */
  async block(block: CheckedBlock, parents: readonly Uint8Array[]): Promise<void> {
    const { height, hash, header, eventIds } = block
    const repeated = repeatedEvent(this.#window, block)
    if (repeated !== undefined) throw new VerifyFault(`block ${height}: ${repeated.code}: ${repeated.message}`)
    this.#window.add(header.timestamp, eventIds)
    this.#window.prune(header.timestamp)
    await auditMmrRow(this.#stores, height, hash, parents)
    await this.#rows.block(block, this.#chain.tip.mmrRoot)
    if (height === this.#stateHeight) await this.#state()
  }

  /** All of the state on disk against the state as of now. */
  async #state(): Promise<void> {
    const { meta, state: store } = this.#stores
    const { state } = this.#chain
    const { eventTotal } = await meta.stateMark()
    const at = `state at block ${this.#stateHeight}`
    if (eventTotal !== state.eventTotal) throw new VerifyFault(`${at}: ${eventTotal} events, not ${state.eventTotal}`)
    const fault = await stateFault(store, state)
    if (fault !== undefined) throw new VerifyFault(`${at}: ${fault}`)
  }

  /** What must not be there, or is about no block. */
  async finish(): Promise<void> {
    await this.#rows.finish(this.#chain.tip)
    await this.#stores.mempool.load((bytes) => checkEvent(bytes, this.#chain.genesis.params))
  }
}
