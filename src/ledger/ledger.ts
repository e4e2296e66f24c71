import type { CheckedBlock, NextBlock, ProposedBlock } from '../chain/check-block.ts'
import { type CheckedHeader, rootFailure } from '../chain/check-header.ts'
import type { CheckedEvent } from '../chain/event.ts'
import type { Failure } from '../chain/failures.ts'
import { hasCode } from '../error.ts'
import type { Log } from '../log.ts'
import type { EvidenceRecord } from '../store/evidence-store.ts'
import type { EventFate, StoredEvent } from '../store/mempool-store.ts'
import { Applier, type ApplyResult } from './apply.ts'
import { type BlockInput, type BuiltBlock, buildBlock } from './build-block.ts'
import { type Conflict, conflictError, conflictOf } from './conflict.ts'
import type { EventFates } from './event-fates.ts'
import type { Tip } from './head.ts'
import type { History } from './history.ts'
import { type LedgerOptions, type LedgerParts, openParts } from './open.ts'
import { SCAN_BOUNDS } from './query.ts'
import { ReadableLedger } from './readable-ledger.ts'
import { RecentEvents } from './recent-events.ts'
import { windowStart } from './restore.ts'
import { Snapshots } from './snapshot/snapshots.ts'
import type { Stores } from './stores.ts'
import type { Turns } from './turns.ts'

export type { ApplyResult } from './apply.ts'
export type { BlockInput, BuiltBlock } from './build-block.ts'
export type { Conflict } from './conflict.ts'
export type { Tip } from './head.ts'
export type { LedgerOptions, LedgerTuning } from './open.ts'
export type { EventFilter, EventPage } from './query.ts'
export { type FoundEvent, type SealedHeader, type StoredBlock, sealedHeader } from './reader.ts'

/** The finalized chain of a node on disk, and the only writer of it. Nothing finalized is ever taken back. */
export class Ledger extends ReadableLedger {
  /** Blocks below a checkpoint. */
  readonly history: History
  readonly #log: Log
  readonly #stores: Stores
  readonly #applier: Applier
  readonly #recent: RecentEvents
  readonly #fates: EventFates
  readonly #turns: Turns
  #snapshots: Snapshots | undefined
  #pending: CheckedEvent[]
  #conflict: Conflict | undefined

  private constructor(parts: LedgerParts) {
    const { genesis, log, stores, head, state, history } = parts
    const { scanBounds = SCAN_BOUNDS, historyReadBytes } = parts.tuning
    super({ genesis, stores, state, scanBounds, historyReadBytes })
    this.history = history
    this.#log = log
    this.#stores = stores
    this.#recent = new RecentEvents(parts)
    this.#fates = parts.fates
    this.#turns = parts.turns
    this.#pending = parts.pending
    this.#conflict = parts.conflict
    history.on('moved', (earliest) => this.#historyMoved(earliest))
    this.#applier = new Applier({
      head,
      state,
      stores,
      stateMark: parts.stateMark,
      stateWork: parts.tuning.stateWork,
      checkpoint: parts.checkpoint,
      onWritten: (blocks) => this.#written(blocks),
      onIdle: () => this.#snapshots?.idle(),
      onConflict: (record) => this.#conflicted(record)
    })
  }

  /**
   * Opens the chain in `path` at its last finalized block, whatever a crash left.
   * @throws MolochError with a StoreErrorCode
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const parts = await openParts(options)
    const ledger = new Ledger(parts)
    const { snapshots, genesis, log } = options
    const tip = () => ledger.tip.height
    try {
      if (snapshots !== undefined) {
        ledger.#snapshots = await Snapshots.open({ ...snapshots, genesis, log, stores: parts.stores, tip })
      }
      return ledger
    } catch (error) {
      await ledger.close()
      throw error
    }
  }

  /** Undefined: none are built. */
  get snapshots(): Snapshots | undefined {
    return this.#snapshots
  }

  /** The last finalized block that is on disk. */
  get tip(): Tip {
    return this.#applier.tip
  }

  /** What the header after the tip must carry. */
  get next(): NextBlock {
    return this.#applier.next
  }

  /** Events in blocks 1 … tip. */
  get eventTotal(): number {
    return this.#applier.eventTotal
  }

  /** From here up every block is held with its certificate; block 0 has none. */
  get earliestHeight(): number {
    return this.history.earliest
  }

  /**
   * Whether the uniqueness rule can be told: false while a block that is younger than two windows before the tip is not
   * held, as after a warp. A validator signs nothing until then.
   */
  get holdsWindow(): boolean {
    return this.#recent.isWhole(this.tip)
  }

  /** Why nothing more is applied; undefined: all is well. */
  get conflict(): Conflict | undefined {
    return this.#conflict
  }

  /**
   * Appends blocks in ascending order: each must follow the one before. Those that do are on disk, in one atomic batch
   * (of some MiB at most), when this resolves. Blocks that are final already are passed over. Calls wait for each other.
   * @throws MolochError CONFLICTING_FINALITY, STORE_FAILED, LEDGER_CLOSED
   */
  apply(blocks: readonly CheckedBlock[]): Promise<ApplyResult> {
    return this.#turns.take(async () => {
      if (this.#conflict !== undefined) throw conflictError(this.#conflict)
      return this.#applier.apply(blocks)
    })
  }

  /**
   * Compares a certified header (no `deferred` fault) of a height up to the next with the chain.
   * @returns BAD_MMR_ROOT if the root after it is not the one that came with it
   * @throws MolochError CONFLICTING_FINALITY if it is of another chain: evidence is kept, nothing more is applied;
   * LEDGER_CLOSED
   */
  compareHeader(header: CheckedHeader): Promise<Failure | undefined> {
    return this.#turns.take(async () => {
      if (this.#conflict !== undefined) throw conflictError(this.#conflict)
      await this.#applier.compareHeader(header)
      return rootFailure(header, await this.rootAfter(header.height, header.hash))
    })
  }

  /** The part of protocol §8's valid(block) that needs the chain: its links, and events that are in no ancestor. */
  checkProposal(block: ProposedBlock): Failure | undefined {
    return this.#applier.check(block) ?? this.#recent.repeatedIn(block)
  }

  /** The next block with these events, sealed. Nothing is stored. */
  buildBlock(input: BlockInput): BuiltBlock {
    return buildBlock(this.genesis, this.next, input)
  }

  /** Whether the event was finalized within the last two windows, from memory: for whatever may still be proposed. */
  hasRecentEvent(id: Uint8Array): boolean {
    return this.#recent.has(id)
  }

  /**
   * Resolves when the events are on disk; many calls share one fsync. They stay until they are finalized or expired.
   * @throws MolochError STORE_FAILED
   */
  async saveMempool(events: readonly StoredEvent[]): Promise<void> {
    await this.#stores.mempool.save(events.filter(({ id }) => !this.#recent.has(id)))
  }

  /** The events that waited when the ledger was opened, in their order of arrival; given out once. */
  async loadMempool(): Promise<CheckedEvent[]> {
    const pending = this.#pending
    this.#pending = []
    return pending
  }

  /**
   * Takes events whose window has passed out of the mempool's rows, and keeps those that are not final: as expired, to be
   * signed again, or, where a block that is not held may have them, until it is. What it has not come to when the ledger
   * closes waits on.
   * @throws MolochError STORE_FAILED
   */
  expireMempool(events: readonly CheckedEvent[]): Promise<void> {
    return this.#fates.settle(events)
  }

  /**
   * What became of an event of any age: `final`; `expired`, in no block now or ever; or `unknown`, for a block that may have
   * it is not held here, or is yet to come.
   * @throws MolochError STORE_CORRUPT
   */
  fateOf(event: CheckedEvent): Promise<EventFate> {
    return this.#fates.fateOf(event, this.tip.header.timestamp)
  }

  /**
   * Keeps the proof of a fault.
   * @param slot what it is about beside kind and height: there is one record a slot
   * @returns false if the slot has one, or there is no room for more of its kind
   */
  saveEvidence(record: EvidenceRecord, slot: string): Promise<boolean> {
    return this.#stores.evidence.add(record, slot)
  }

  /** Closes after what is under way. */
  async close(): Promise<void> {
    await this.#turns.close()
    await this.history.close()
    this.#applier.close()
    await this.#snapshots?.close()
    await this.#stores.database.close()
  }

  /** With history further down, its events are in the window, and more is known of those that have passed. */
  #historyMoved(earliest: number): void {
    const widened = this.#turns.take(async () => {
      const start = await windowStart(this.#stores, earliest)
      if (await this.#recent.widen(this.tip, earliest, start)) this.emit('window')
      return start
    })
    widened
      .then((start) => this.#fates.historyHeld(start))
      .catch((error: unknown) => {
        if (hasCode(error, 'LEDGER_CLOSED')) return
        this.#log.error({ err: error }, 'history could not be read for what it says of events')
      })
  }

  async #written(blocks: readonly CheckedBlock[]): Promise<void> {
    this.#recent.add(blocks)
    // Some may have been saved after the batch of their block was put together.
    await this.#stores.mempool.forget(blocks.map(({ eventIds }) => eventIds))
    for (const block of blocks) {
      try {
        this.emit('finalized', { block })
      } catch (error) {
        // The block is final whatever a listener makes of it.
        this.#log.error({ err: error, height: block.height }, 'a listener of finalized blocks failed')
      }
    }
  }

  async #conflicted(record: EvidenceRecord): Promise<never> {
    const conflict = conflictOf(this.genesis, record)
    await this.#stores.evidence.add(record, '', true)
    this.#conflict = conflict
    const error = conflictError(conflict)
    this.#log.error({ height: conflict.height, validators: conflict.validators }, error.message)
    this.emit('conflict', conflict)
    throw error
  }
}
