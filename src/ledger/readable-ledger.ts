import type { CheckedBlock } from '../chain/check-block.ts'
import type { Genesis } from '../chain/genesis.ts'
import { leafHash } from '../chain/merkle.ts'
import { Mmr } from '../chain/mmr.ts'
import type { Header } from '../codec/generated/chain.ts'
import type { GetProof, Proof } from '../codec/generated/sync.ts'
import { Emitter } from '../emitter.ts'
import type { EvidenceRecord } from '../store/evidence-store.ts'
import type { KeptRow } from '../store/kept-events.ts'
import type { Conflict } from './conflict.ts'
import { type EvidencePage, evidencePage } from './evidence-page.ts'
import type { Tip } from './head.ts'
import type { History } from './history.ts'
import { type KeptPage, keptPage } from './kept-page.ts'
import { HistoryProver } from './proofs/history-proofs.ts'
import { Prover } from './proofs/proofs.ts'
import { type EventFilter, type EventPage, queryEvents, type Room, type ScanBounds } from './query.ts'
import { ChainReader, type FoundEvent, type SealedHeader, type StoredBlock, sealedHeader } from './reader.ts'
import type { Snapshots } from './snapshot/snapshots.ts'
import type { StateTries } from './state.ts'
import type { Stores } from './stores.ts'

type LedgerEvents = {
  /** A block is final and on disk. In the order of heights, each once. */
  finalized: [{ readonly block: CheckedBlock }]
  /** Another certified block was seen at a final height: nothing is applied from here on. */
  conflict: [Conflict]
  /** `holdsWindow` has become true, as history came in. */
  window: []
}

export interface ReadableLedgerParts {
  readonly genesis: Genesis
  readonly stores: Stores
  readonly state: StateTries
  readonly scanBounds: ScanBounds
  /** Of rows, for each proof of a history; undefined: as many as are good. */
  readonly historyReadBytes: number | undefined
}

/** The face of a ledger for those who read: the finalized chain on disk, and what is kept beside it. */
export abstract class ReadableLedger extends Emitter<LedgerEvents> {
  readonly genesis: Genesis
  readonly #stores: Stores
  readonly #state: StateTries
  readonly #scanBounds: ScanBounds
  readonly #reader: ChainReader
  readonly #prover: Prover

  constructor({ genesis, stores, state, scanBounds, historyReadBytes }: ReadableLedgerParts) {
    super()
    this.genesis = genesis
    this.#stores = stores
    this.#state = state
    this.#scanBounds = scanBounds
    const ends = { tip: () => this.tip, earliest: () => this.earliestHeight }
    this.#reader = new ChainReader({ genesis, stores, ...ends })
    const histories = new HistoryProver({
      sources: { eventRows: stores.eventRows, eventsAt: (height) => this.#reader.eventsAt(height) },
      path: stores.database.path,
      snapshotInterval: genesis.params.snapshotInterval,
      snapshots: () => this.snapshots,
      tip: () => this.tip.height,
      missing: (to) => this.history.missing(1, to)[0],
      readBytes: historyReadBytes
    })
    this.#prover = new Prover({ genesis, stores, ...ends, holdsAll: () => this.holdsAll, histories })
  }

  /** The last finalized block that is on disk. */
  abstract get tip(): Tip

  /** From here up every block is held with its certificate; block 0 has none. */
  abstract get earliestHeight(): number

  /** Blocks below a checkpoint. */
  abstract readonly history: History

  /** Whether every block is held, also those whose certificates are not verified yet: what is not found is not final. */
  get holdsAll(): boolean {
    return this.history.missing(1, this.tip.height).length === 0
  }

  /** Undefined: none are built. */
  abstract get snapshots(): Snapshots | undefined

  /** The root over the hashes of blocks 0 … height−1, which are final, and one more. */
  async rootAfter(height: number, hash: Uint8Array): Promise<Uint8Array> {
    const mmr = Mmr.from(height, await this.#stores.mmr.peaks(height))
    mmr.append(leafHash(hash))
    return mmr.root()
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
   * The one that is asked for. Anchor 0 is the header of the block itself; one above it covers it. Of a history it is the
   * newest snapshot.
   * @param onRead called with how many bytes were read, of proofs that may read many
   * @throws MolochError UNKNOWN_EVENT | ANCHOR_TOO_OLD | UNAVAILABLE | NOT_READY | RATE_LIMITED | BAD_REQUEST
   */
  prove(request: GetProof, onRead?: (bytes: number) => void): Promise<Proof> {
    return this.#prover.prove(request, onRead)
  }

  /** The height of the block that a finalized event is in; undefined: it is in none here. No block is read. */
  async heightOfEvent(id: Uint8Array): Promise<number | undefined> {
    const place = await this.#stores.eventIndex.find(id)
    // Above the tip: the block's batch is being written right now.
    return place === undefined || place.height > this.tip.height ? undefined : place.height
  }

  /** A finalized event by its id. */
  event(id: Uint8Array): Promise<FoundEvent | undefined> {
    return this.#reader.event(id)
  }

  /**
   * A page of the events that match all of `filter`, in the order of the chain or backwards.
   * @param cursor a page's `nextCursor`, to go on behind it
   * @throws MolochError BAD_CURSOR; UNAVAILABLE where blocks are not held
   */
  events(filter: EventFilter, cursor: string | undefined, limit: number, fits?: Room<FoundEvent>): Promise<EventPage> {
    const sources = {
      stores: this.#stores,
      reader: this.#reader,
      state: this.#state,
      tip: this.tip.height,
      bounds: this.#scanBounds,
      missing: (from: number, to: number) => this.history.missing(from, to),
      earliest: this.earliestHeight
    }
    return queryEvents(sources, filter, cursor, limit, fits)
  }

  /** The SignedEvent with this id, if it was accepted here and expired. */
  expiredEvent(id: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#stores.mempool.expired.get(id)
  }

  /** A page of the SignedEvents that expired, the newest first. @throws MolochError BAD_CURSOR */
  expiredEvents(cursor: string | undefined, limit: number, fits?: Room<KeptRow>): Promise<KeptPage> {
    return keptPage(this.#stores.mempool.expired, cursor, limit, fits)
  }

  /** The SignedEvent with this id, if it was accepted here and its window passed, and blocks that may have it are not held. */
  passedEvent(id: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#stores.mempool.passed.get(id)
  }

  /** A page of those, the newest first. @throws MolochError BAD_CURSOR */
  passedEvents(cursor: string | undefined, limit: number, fits?: Room<KeptRow>): Promise<KeptPage> {
    return keptPage(this.#stores.mempool.passed, cursor, limit, fits)
  }

  /** Proofs of faults, the highest first, at most `limit`. */
  evidence(limit = 1000): Promise<EvidenceRecord[]> {
    return this.#stores.evidence.highest(limit)
  }

  /** The same by pages. @throws MolochError BAD_CURSOR */
  evidencePage(cursor: string | undefined, limit: number, fits: Room<EvidenceRecord>): Promise<EvidencePage> {
    return evidencePage(this.#stores.evidence, cursor, limit, fits)
  }
}
