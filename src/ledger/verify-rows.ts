import type { CheckedBlock } from '../chain/check-block.ts'
import { checkEvent } from '../chain/event.ts'
import { EventWindow } from '../chain/event-window.ts'
import type { Genesis } from '../chain/genesis.ts'
import type { MmrNode } from '../chain/mmr.ts'
import { equalBytes } from '../codec/bytes.ts'
import { MolochError } from '../error.ts'
import { packKeys } from '../store/event-rows.ts'
import { packNodes } from '../store/mmr-store.ts'
import { type BlockIds, packSegment } from '../store/segment.ts'
import type { ModelChain } from './model-chain.ts'
import { repeatedEvent } from './repeats.ts'
import type { Stores } from './stores.ts'
import { trustedHeader } from './trusted-header.ts'
import { stateFault } from './verify-state.ts'

/** A row that is not what the blocks say it is; the message is one line. */
export class VerifyFault extends MolochError<'VERIFY_FAULT'> {
  constructor(message: string) {
    super('VERIFY_FAULT', message)
  }
}

/** Compares every row that is derived from blocks with what `chain`, moved on from genesis, says it must be. */
export class RowAudit {
  readonly #stores: Stores
  readonly #chain: ModelChain
  readonly #window: EventWindow
  /** Last heights of the segments that are still to come. */
  #segments: number[] = []
  #segmentBlocks: BlockIds[] = []
  #segmentRows = 0
  #blocksWithEvents = 0
  #headers = 0
  #stateHeight = 0

  constructor(genesis: Genesis, stores: Stores, chain: ModelChain) {
    this.#stores = stores
    this.#chain = chain
    this.#window = new EventWindow(genesis.params.eventWindowMs)
  }

  async begin(): Promise<void> {
    await this.#mmrRow(0, this.#chain.tip.hash, this.#chain.genesisNodes)
    this.#segments = await this.#stores.eventIndex.segments()
    this.#stateHeight = (await this.#stores.meta.stateMark()).height
    if (this.#stateHeight === 0) await this.#state()
  }

  /** The rows of a block that was checked and by which the chain has just moved on. */
  async block(block: CheckedBlock, nodes: readonly MmrNode[]): Promise<void> {
    const { height, hash, header, eventIds } = block
    const repeated = repeatedEvent(this.#window, block)
    if (repeated !== undefined) throw new VerifyFault(`block ${height}: ${repeated.code}: ${repeated.message}`)
    this.#window.add(header.timestamp, eventIds)
    this.#window.prune(header.timestamp)
    const found = await this.#stores.blocks.heightOf(hash)
    if (found !== height) throw new VerifyFault(`block ${height}: its hash leads to ${found ?? 'nothing'}`)
    await this.#mmrRow(height, hash, nodes)
    await this.#eventRows(block)
    await this.#headerRow(block)
    if (eventIds.byteLength > 0) this.#segmentBlocks.push({ height, ids: eventIds })
    if (height === this.#segments[0]) await this.#segment(height)
    if (height === this.#stateHeight) await this.#state()
  }

  async #mmrRow(leaf: number, hash: Uint8Array, nodes: readonly MmrNode[]): Promise<void> {
    const row = await this.#stores.mmr.row(leaf)
    if (row === undefined || !equalBytes(row, packNodes(hash, nodes)))
      throw new VerifyFault(`block ${leaf}: wrong MMR nodes`)
  }

  async #eventRows({ height, header, eventIds, keyHashes }: CheckedBlock): Promise<void> {
    const row = await this.#stores.eventRows.ids(height)
    const keys = await this.#stores.eventRows.keys(height)
    const none = eventIds.byteLength === 0
    const ids = none ? row === undefined : row?.timestamp === header.timestamp && equalBytes(row.ids, eventIds)
    if (!ids) throw new VerifyFault(`block ${height}: wrong row of event ids`)
    const right = none ? keys === undefined : keys !== undefined && equalBytes(keys, packKeys(keyHashes))
    if (!right) throw new VerifyFault(`block ${height}: wrong row of event keys`)
    if (!none) this.#blocksWithEvents++
  }

  /** It may be missing: a database that an older version wrote has none, and then headers are cut out of blocks. */
  async #headerRow({ height, blockBytes, commitBytes }: CheckedBlock): Promise<void> {
    const row = await this.#stores.headers.get(height)
    if (row === undefined) return
    const expected = trustedHeader({ block: blockBytes, commit: commitBytes }, this.#chain.tip.mmrRoot)
    if (!equalBytes(row, expected)) throw new VerifyFault(`block ${height}: wrong row of its header`)
    this.#headers++
  }

  async #segment(lastHeight: number): Promise<void> {
    for (const [bucket, expected] of packSegment(this.#segmentBlocks)) {
      const row = await this.#stores.eventIndex.segmentRow(bucket, lastHeight)
      if (row === undefined || !equalBytes(row, expected)) {
        throw new VerifyFault(`block ${lastHeight}: wrong event index (row ${bucket} of its segment)`)
      }
      this.#segmentRows++
    }
    this.#segmentBlocks = []
    this.#segments.shift()
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
    const { meta, blocks, headers, mmr, eventRows, eventIndex, mempool } = this.#stores
    const { height, hash } = this.#chain.tip
    const tip = await meta.tip()
    if (tip === undefined || !equalBytes(tip.hash, hash)) throw new VerifyFault(`the tip is not block ${height}`)
    const highest = (await blocks.highest()) ?? 0
    if (highest > height) throw new VerifyFault(`block ${highest} is above the tip ${height}`)
    if (this.#stateHeight > height) throw new VerifyFault(`the state is of block ${this.#stateHeight}, above the tip`)
    if (this.#segments.length > 0) throw new VerifyFault(`the event index has a segment that ends at no block's height`)
    const [ids, keys] = await eventRows.count()
    for (const [what, found, expected] of [
      ['block hashes', await blocks.countHashes(), height],
      ['rows of headers', await headers.count(), this.#headers],
      ['MMR leaves', await mmr.count(), height + 1],
      ['rows of event ids', ids, this.#blocksWithEvents],
      ['rows of event keys', keys, this.#blocksWithEvents],
      ['rows of the event index', await eventIndex.countRows(), this.#segmentRows]
    ] as const) {
      if (found !== expected) throw new VerifyFault(`there are ${found} ${what}, not ${expected}`)
    }
    await mempool.load((bytes) => checkEvent(bytes, this.#chain.genesis.params))
  }
}
