import type { CheckedBlock } from '../chain/check-block.ts'
import { checkEvent } from '../chain/event.ts'
import { EventWindow } from '../chain/event-window.ts'
import type { Genesis } from '../chain/genesis.ts'
import type { MmrNode } from '../chain/mmr.ts'
import { ACTION_INDEX, ACTOR_INDEX, RESOURCE_INDEX } from '../chain/state.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'
import { MolochError } from '../error.ts'
import { packKeys } from '../store/event-rows.ts'
import { packNodes } from '../store/mmr-store.ts'
import { type BlockIds, packSegment } from '../store/segment.ts'
import type { ChainHead } from './head.ts'
import { repeatedEvent } from './repeats.ts'
import type { Stores } from './stores.ts'

/** A row that is not what the blocks say it is; the message is one line. */
export class VerifyFault extends MolochError<'VERIFY_FAULT'> {
  constructor(message: string) {
    super('VERIFY_FAULT', message)
  }
}

/** Compares every row that is derived from blocks with what `head`, moved on from genesis, says it must be. */
export class RowAudit {
  readonly #stores: Stores
  readonly #head: ChainHead
  readonly #window: EventWindow
  /** Last heights of the segments that are still to come. */
  #segments: number[] = []
  #segmentBlocks: BlockIds[] = []
  #segmentRows = 0
  #blocksWithEvents = 0
  #stateHeight = 0

  constructor(genesis: Genesis, stores: Stores, head: ChainHead) {
    this.#stores = stores
    this.#head = head
    this.#window = new EventWindow(genesis.params.eventWindowMs)
  }

  /** @param nodes that block 0 makes */
  async begin(nodes: readonly MmrNode[]): Promise<void> {
    await this.#mmrRow(0, nodes)
    this.#segments = await this.#stores.eventIndex.segments()
    this.#stateHeight = (await this.#stores.meta.stateMark()).height
    if (this.#stateHeight === 0) await this.#state()
  }

  /** The rows of a block that was checked and by which the head has just moved on. */
  async block(block: CheckedBlock, nodes: readonly MmrNode[]): Promise<void> {
    const { height, hash, header, eventIds } = block
    const repeated = repeatedEvent(this.#window, block)
    if (repeated !== undefined) throw new VerifyFault(`block ${height}: ${repeated.code}: ${repeated.message}`)
    this.#window.add(header.timestamp, eventIds)
    this.#window.prune(header.timestamp)
    const found = await this.#stores.blocks.heightOf(hash)
    if (found !== height) throw new VerifyFault(`block ${height}: its hash leads to ${found ?? 'nothing'}`)
    await this.#mmrRow(height, nodes)
    await this.#eventRows(block)
    if (eventIds.byteLength > 0) this.#segmentBlocks.push({ height, ids: eventIds })
    if (height === this.#segments[0]) await this.#segment(height)
    if (height === this.#stateHeight) await this.#state()
  }

  async #mmrRow(leaf: number, nodes: readonly MmrNode[]): Promise<void> {
    const row = await this.#stores.mmr.row(leaf)
    if (row === undefined || !equalBytes(row, packNodes(nodes))) throw new VerifyFault(`block ${leaf}: wrong MMR nodes`)
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

  /** All entries on disk against the state as of now. */
  async #state(): Promise<void> {
    const { state } = this.#head
    const { eventTotal } = await this.#stores.meta.stateMark()
    const at = `state at block ${this.#stateHeight}`
    if (eventTotal !== state.eventTotal) throw new VerifyFault(`${at}: ${eventTotal} events, not ${state.eventTotal}`)
    let entries = 0
    for await (const { index, keyHash, key, count, head } of this.#stores.state.all()) {
      const expected = state.get(index, keyHash)
      const right = expected?.count === count && equalBytes(expected.head, head) && equalBytes(sha256(key), keyHash)
      if (!right) throw new VerifyFault(`${at}: wrong entry ${toHex(keyHash)} of index ${index}`)
      entries++
    }
    const keys = [ACTOR_INDEX, RESOURCE_INDEX, ACTION_INDEX].reduce((sum, index) => sum + state.sizeOf(index as 0), 0)
    if (entries !== keys) throw new VerifyFault(`${at}: ${entries} entries, not ${keys}`)
  }

  /** What must not be there, or is about no block. */
  async finish(): Promise<void> {
    const { meta, blocks, mmr, eventRows, eventIndex, mempool } = this.#stores
    const { height, hash } = this.#head.tip
    const tip = await meta.tip()
    if (tip === undefined || !equalBytes(tip.hash, hash)) throw new VerifyFault(`the tip is not block ${height}`)
    const highest = (await blocks.highest()) ?? 0
    if (highest > height) throw new VerifyFault(`block ${highest} is above the tip ${height}`)
    if (this.#stateHeight > height) throw new VerifyFault(`the state is of block ${this.#stateHeight}, above the tip`)
    if (this.#segments.length > 0) throw new VerifyFault(`the event index has a segment that ends at no block's height`)
    const [ids, keys] = await eventRows.count()
    for (const [what, found, expected] of [
      ['block hashes', await blocks.countHashes(), height],
      ['MMR leaves', await mmr.count(), height + 1],
      ['rows of event ids', ids, this.#blocksWithEvents],
      ['rows of event keys', keys, this.#blocksWithEvents],
      ['rows of the event index', await eventIndex.countRows(), this.#segmentRows]
    ] as const) {
      if (found !== expected) throw new VerifyFault(`there are ${found} ${what}, not ${expected}`)
    }
    await mempool.load((bytes) => checkEvent(bytes, this.#head.genesis.params))
  }
}
