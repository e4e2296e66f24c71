import type { CheckedBlock, NextBlock, ProposedBlock } from '../chain/check-block.ts'
import { type CheckedHeader, rootFailure } from '../chain/check-header.ts'
import type { CheckedEvent } from '../chain/event.ts'
import type { EventWindow } from '../chain/event-window.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { leafHash } from '../chain/merkle.ts'
import { Mmr } from '../chain/mmr.ts'
import type { Header } from '../codec/generated/chain.ts'
import type { GetProof, Proof } from '../codec/generated/sync.ts'
import { Emitter } from '../emitter.ts'
import { MolochError } from '../error.ts'
import type { Log } from '../log.ts'
import type { EvidenceRecord } from '../store/evidence-store.ts'
import type { StoredEvent } from '../store/mempool-store.ts'
import { Applier, type ApplyResult } from './apply.ts'
import { type BlockInput, type BuiltBlock, buildBlock } from './build-block.ts'
import { type Conflict, conflictError, conflictOf } from './conflict.ts'
import { type ExpiredPage, expiredPage } from './expired.ts'
import type { Tip } from './head.ts'
import type { History } from './history.ts'
import { type LedgerOptions, type LedgerParts, openParts } from './open.ts'
import { Prover } from './proofs.ts'
import { type EventFilter, type EventPage, queryEvents, SCAN_BOUNDS, type ScanBounds } from './query.ts'
import { ChainReader, type FoundEvent, type SealedHeader, type StoredBlock, sealedHeader } from './reader.ts'
import { repeatedEvent } from './repeats.ts'
import { restoreWindow, windowStart } from './restore.ts'
import { Snapshots } from './snapshots.ts'
import type { StateTries } from './state.ts'
import type { Stores } from './stores.ts'

export type { ApplyResult } from './apply.ts'
export type { BlockInput, BuiltBlock } from './build-block.ts'
export type { Conflict } from './conflict.ts'
export type { Tip } from './head.ts'
export type { LedgerOptions, LedgerTuning } from './open.ts'
export type { EventFilter, EventPage } from './query.ts'
export { type FoundEvent, type SealedHeader, type StoredBlock, sealedHeader } from './reader.ts'

type LedgerEvents = {
  /** A block is final and on disk. In the order of heights, each once. */
  finalized: [{ readonly block: CheckedBlock }]
  /** Another certified block was seen at a final height: nothing is applied from here on. */
  conflict: [Conflict]
  /** `holdsWindow` has become true, as history came in. */
  window: []
}

/** The finalized chain of a node on disk, and the only writer of it. Nothing finalized is ever taken back. */
export class Ledger extends Emitter<LedgerEvents> {
  readonly genesis: Genesis
  /** Blocks below a checkpoint. */
  readonly history: History
  readonly #log: Log
  readonly #stores: Stores
  readonly #state: StateTries
  readonly #reader: ChainReader
  readonly #prover: Prover
  readonly #applier: Applier
  #window: EventWindow
  readonly #scanBounds: ScanBounds
  #snapshots: Snapshots | undefined
  #windowStart: number
  #pending: CheckedEvent[]
  #conflict: Conflict | undefined
  #lastApply: Promise<unknown> = Promise.resolve()
  #closed = false

  private constructor(parts: LedgerParts) {
    super()
    const { genesis, log, stores, head, state, history, window } = parts
    this.genesis = genesis
    this.history = history
    this.#log = log
    this.#stores = stores
    this.#state = state
    this.#window = window
    this.#windowStart = parts.windowStart
    this.#scanBounds = parts.tuning.scanBounds ?? SCAN_BOUNDS
    this.#pending = parts.pending
    this.#conflict = parts.conflict
    history.on('moved', (earliest) => this.#widenWindow(earliest))
    this.#reader = new ChainReader({ genesis, stores, tip: () => this.tip, earliest: () => this.earliestHeight })
    this.#prover = new Prover({ genesis, stores, tip: () => this.tip, earliest: () => this.earliestHeight })
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
    if (snapshots !== undefined) {
      const tip = () => ledger.tip.height
      try {
        ledger.#snapshots = await Snapshots.open({ ...snapshots, genesis, log, stores: parts.stores, tip })
      } catch (error) {
        await ledger.close()
        throw error
      }
    }
    return ledger
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
    return this.#windowStart <= this.tip.header.timestamp - 2 * this.genesis.params.eventWindowMs
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
  async apply(blocks: readonly CheckedBlock[]): Promise<ApplyResult> {
    if (this.#closed) throw new MolochError('LEDGER_CLOSED', 'the ledger is closed')
    const apply = this.#lastApply.then(() => {
      if (this.#conflict !== undefined) throw conflictError(this.#conflict)
      return this.#applier.apply(blocks)
    })
    this.#lastApply = apply.catch(() => {})
    return apply
  }

  /**
   * Compares a certified header (no `deferred` fault) of a height up to the next with the chain.
   * @returns BAD_MMR_ROOT if the root after it is not the one that came with it
   * @throws MolochError CONFLICTING_FINALITY if it is of another chain: evidence is kept, nothing more is applied;
   * LEDGER_CLOSED
   */
  async compareHeader(header: CheckedHeader): Promise<Failure | undefined> {
    if (this.#closed) throw new MolochError('LEDGER_CLOSED', 'the ledger is closed')
    const compare = this.#lastApply.then(async () => {
      if (this.#conflict !== undefined) throw conflictError(this.#conflict)
      await this.#applier.compareHeader(header)
      return rootFailure(header, await this.rootAfter(header.height, header.hash))
    })
    this.#lastApply = compare.catch(() => {})
    return compare
  }

  /** The root over the hashes of blocks 0 … height−1, which are final, and one more. */
  async rootAfter(height: number, hash: Uint8Array): Promise<Uint8Array> {
    const mmr = Mmr.from(height, await this.#stores.mmr.peaks(height))
    mmr.append(leafHash(hash))
    return mmr.root()
  }

  /** The part of protocol §8's valid(block) that needs the chain: its links, and events that are in no ancestor. */
  checkProposal(block: ProposedBlock): Failure | undefined {
    return this.#applier.check(block) ?? repeatedEvent(this.#window, block)
  }

  /** The next block with these events, sealed. Nothing is stored. */
  buildBlock(input: BlockInput): BuiltBlock {
    return buildBlock(this.genesis, this.next, input)
  }

  /** Whether the event was finalized within the last two windows, from memory: for whatever may still be proposed. */
  hasRecentEvent(id: Uint8Array): boolean {
    return this.#window.has(id)
  }

  /**
   * Block 0 has no seal and no commit. A block below the earliest height is given if it is held, for its hash proves it;
   * its commit is not, for nobody has verified it yet.
   */
  blockAt(height: number): Promise<StoredBlock | undefined> {
    return this.#reader.blockAt(height)
  }

  async sealedHeaderAt(height: number): Promise<SealedHeader | undefined> {
    const block = await this.#reader.blockAt(height)
    return block && sealedHeader(block)
  }

  headerAt(height: number): Promise<{ header: Header; hash: Uint8Array } | undefined> {
    return this.#reader.headerAt(height)
  }

  /** The encoded Commit; undefined for block 0. */
  commitAt(height: number): Promise<Uint8Array | undefined> {
    return this.#reader.commitAt(height)
  }

  heightOf(hash: Uint8Array): Promise<number | undefined> {
    return this.#reader.heightOf(hash)
  }

  /**
   * FinalizedBlocks as stored from height `start`, at most `count` of them and `maxBytes` together, but one at least if
   * there is one. Reads ahead a bounded number of bytes however slowly it is consumed.
   */
  readRange(start: number, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
    return this.#reader.readRange(start, count, maxBytes)
  }

  /** Encoded TrustedHeaders from height `start` ≥ 1, at most `count`; ends early where the chain does, or to bound its reads. */
  readHeaders(start: number, count: number): AsyncGenerator<Uint8Array> {
    return this.#reader.readHeaders(start, count)
  }

  /** Peaks of the range over blocks 0 … leafCount − 1, largest first. @throws MolochError UNAVAILABLE */
  readPeaks(leafCount: number): Promise<Uint8Array[]> {
    return this.#prover.peaks(leafCount)
  }

  /**
   * The one that is asked for. Anchor 0 is the header of the block itself; one above it covers it.
   * @throws MolochError UNKNOWN_EVENT | ANCHOR_TOO_OLD | UNAVAILABLE | BAD_REQUEST
   */
  prove(request: GetProof): Promise<Proof> {
    return this.#prover.prove(request)
  }

  /** A finalized event by its id. */
  event(id: Uint8Array): Promise<FoundEvent | undefined> {
    return this.#reader.event(id)
  }

  /**
   * A page of the events that match all of `filter`, in the order of the chain or backwards.
   * @param cursor a page's `nextCursor`, to go on behind it
   * @throws MolochError BAD_CURSOR
   */
  events(filter: EventFilter, cursor: string | undefined, limit: number): Promise<EventPage> {
    const sources = {
      stores: this.#stores,
      reader: this.#reader,
      state: this.#state,
      tip: this.tip.height,
      bounds: this.#scanBounds
    }
    return queryEvents(sources, filter, cursor, limit)
  }

  /**
   * Resolves when the events are on disk; many calls share one fsync. They stay until they are finalized or expired.
   * @throws MolochError STORE_FAILED
   */
  async saveMempool(events: readonly StoredEvent[]): Promise<void> {
    await this.#stores.mempool.save(events.filter(({ id }) => !this.#window.has(id)))
  }

  /** The events that waited when the ledger was opened, in their order of arrival; given out once. */
  async loadMempool(): Promise<CheckedEvent[]> {
    const pending = this.#pending
    this.#pending = []
    return pending
  }

  /** Moves events whose window has passed out of the mempool's rows; they are kept to be signed again. */
  async expireMempool(events: readonly StoredEvent[]): Promise<void> {
    const { kept, dropped } = await this.#stores.mempool.expire(events)
    if (kept > 0) this.#log.warn({ events: kept }, 'events accepted here expired; they are kept to be signed again')
    if (dropped > 0) this.#log.error({ events: dropped }, 'no room for more expired events: the oldest are gone')
  }

  /** The SignedEvent with this id, if it was accepted here and expired. */
  expiredEvent(id: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#stores.mempool.expired.get(id)
  }

  /** A page of the SignedEvents that expired, the newest first. @throws MolochError BAD_CURSOR */
  expiredEvents(cursor: string | undefined, limit: number): Promise<ExpiredPage> {
    return expiredPage(this.#stores.mempool.expired, cursor, limit)
  }

  /**
   * Keeps the proof of a fault.
   * @param slot what it is about beside kind and height: there is one record a slot
   * @returns false if the slot has one, or there is no room for more of its kind
   */
  saveEvidence(record: EvidenceRecord, slot: string): Promise<boolean> {
    return this.#stores.evidence.add(record, slot)
  }

  /** Proofs of faults, the highest first, at most `limit`. */
  evidence(limit = 1000): Promise<EvidenceRecord[]> {
    return this.#stores.evidence.highest(limit)
  }

  /** Closes after what is under way. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#lastApply
    await this.history.idle()
    this.#applier.close()
    await this.#snapshots?.close()
    await this.#stores.database.close()
  }

  /** When history is there far enough, the ids of its events are in the window too. */
  #widenWindow(earliest: number): void {
    const widen = this.#lastApply.then(async () => {
      if (this.holdsWindow) return
      const start = await windowStart(this.#stores, earliest)
      if (start > this.tip.header.timestamp - 2 * this.genesis.params.eventWindowMs) return
      this.#window = await restoreWindow(this.genesis, this.#stores, this.tip, earliest)
      this.#windowStart = start
      this.emit('window')
    })
    this.#lastApply = widen.catch((error: unknown) => {
      this.#log.error({ err: error }, 'the window of recent events could not be read')
    })
  }

  async #written(blocks: readonly CheckedBlock[]): Promise<void> {
    for (const block of blocks) {
      this.#window.add(block.header.timestamp, block.eventIds)
      this.#window.prune(block.header.timestamp)
    }
    await this.#forgetLateSaves(blocks)
    for (const block of blocks) {
      try {
        this.emit('finalized', { block })
      } catch (error) {
        // The block is final whatever a listener makes of it.
        this.#log.error({ err: error, height: block.height }, 'a listener of finalized blocks failed')
      }
    }
  }

  /** Events that were saved after the batch of their block was put together. */
  async #forgetLateSaves(blocks: readonly CheckedBlock[]): Promise<void> {
    const { database, mempool } = this.#stores
    if (mempool.size === 0) return
    const batch = database.batch()
    for (const block of blocks) mempool.remove(batch, block.eventIds)
    await (batch.operations > 0 ? database.write(batch) : batch.discard())
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
