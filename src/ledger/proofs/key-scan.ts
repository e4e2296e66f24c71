import { ZERO_HASH } from '../../chain/domain.ts'
import { indexKeysOf } from '../../chain/event.ts'
import { type HistoryPage, MAX_PAGE_IDS } from '../../chain/history.ts'
import { HASH_BYTES } from '../../chain/merkle.ts'
import type { StateIndex } from '../../chain/state.ts'
import { foldRecord, type IndexEntry, RECORD_BYTES, readEntry } from '../../chain/trie-record.ts'
import { equalBytes } from '../../codec/bytes.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { type EventRows, KEY_COLUMNS } from '../../store/event-rows.ts'
import type { HeightRange } from '../../store/height-ranges.ts'
import { words } from '../../store/keys.ts'
import type { ReadBudget } from './read-budget.ts'

export interface KeyScanSources {
  readonly eventRows: Pick<EventRows, 'keysBetween' | 'ids'>
  /** The encoded SignedEvents of a block. */
  eventsAt(height: number): Promise<readonly Uint8Array[] | undefined>
}

/** Where a page of the key's events begins. */
interface Mark extends IndexEntry {
  /** The first event after the mark is in this block or above. */
  readonly height: number
  /** Events of the key in that block that are before the mark. */
  readonly skip: number
}

interface Found {
  readonly ids: Uint8Array
  readonly places: readonly number[]
}

const NOTHING: Found = { ids: new Uint8Array(0), places: [] }

/** What folding an id in costs, in bytes that are read in that time. */
const FOLD_BYTES = 256
/** Blocks without the key between two with it that are read again rather than kept in mind. */
const GAP = 8
const OWN_SIZE = 20
/** Runs of blocks that are kept; above it the gaps that are read again grow. Some megabytes. */
const MAX_RUNS = 50_000

/**
 * Where in the chain the events of one key are, read from the rows of key prefixes once, upwards, and kept: each 4096th
 * event is a mark with the head so far, so that any page is read without those before it. The chain is only added to, so
 * nothing here grows stale. Pages are at most 4096 ids; of a history no more is ever in memory.
 *
 * Two keys may share a prefix. The ids of all blocks with the prefix are folded without looking at the events, which is
 * a tenth of the bytes, and whoever reads a page compares its head with what the state says; if it differs, `exact`
 * begins again and looks at the events.
 */
export class KeyScan {
  readonly #sources: KeyScanSources
  readonly #index: StateIndex
  readonly #keyHash: Uint8Array
  readonly #prefix: number
  #isExact = false
  /** The first block that is not read. */
  #next = 1
  #count = 0
  /** Of the key's events in the blocks that are read: its head is made in place. */
  readonly #record = new Uint8Array(RECORD_BYTES)
  #marks: Mark[] = [{ count: 0, head: ZERO_HASH, height: 1, skip: 0 }]
  #runs: HeightRange[] = []
  #gap = GAP
  #last: Promise<unknown> = Promise.resolve()
  /** So many events are those that a state has said. */
  proven = 0

  constructor(sources: KeyScanSources, index: StateIndex, keyHash: Uint8Array) {
    this.#sources = sources
    this.#index = index
    this.#keyHash = keyHash
    this.#prefix = words(keyHash)[0] as number
  }

  get isExact(): boolean {
    return this.#isExact
  }

  /** Blocks below are read. */
  get next(): number {
    return this.#next
  }

  /** Marks and runs in memory, and what the scan itself takes in their measure. */
  get size(): number {
    return OWN_SIZE + this.#marks.length + this.#runs.length
  }

  /** Begins again, with every event's key compared as a whole. */
  exact(): Promise<void> {
    return this.#inTurn(async () => {
      this.#isExact = true
      this.proven = 0
      this.#next = 1
      this.#count = 0
      this.#record.fill(0)
      this.#marks = this.#marks.slice(0, 1)
      this.#runs = []
    })
  }

  /** Reads on to block `to`, or until the budget is spent; one row at least, so that asking again comes to an end. */
  advance(to: number, budget: ReadBudget): Promise<void> {
    return this.#inTurn(async () => {
      if (to < this.#next) return
      for await (const { height, keys } of this.#sources.eventRows.keysBetween(this.#next, to, false)) {
        const { ids, places } = await this.#find(height, keys, budget)
        for (const [at, place] of places.entries()) this.#fold(height, at, ids, place)
        budget.spend(FOLD_BYTES * places.length)
        this.#next = height + 1
        if (budget.isSpent) return
      }
      this.#next = to + 1
    })
  }

  /** The page that ends with event number `count`; undefined: that event is not read. */
  page(count: number, budget: ReadBudget): Promise<HistoryPage | undefined> {
    return this.#inTurn(() => this.#page(count, budget))
  }

  async #page(count: number, budget: ReadBudget): Promise<HistoryPage | undefined> {
    if (count > this.#count) return undefined
    const mark = this.#marks[Math.floor((count - 1) / MAX_PAGE_IDS)] as Mark
    const wanted = count - mark.count
    const ids: Uint8Array[] = []
    for (const run of this.#runs.slice(this.#firstRun(mark.height))) {
      const from = Math.max(run.from, mark.height)
      for await (const { height, keys } of this.#sources.eventRows.keysBetween(from, run.to, false)) {
        const found = await this.#find(height, keys, budget)
        const places = height === mark.height ? found.places.slice(mark.skip) : found.places
        // Copies: a view would keep the whole row.
        for (const i of places) ids.push(found.ids.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES))
        if (ids.length >= wanted) return { prevHead: mark.head, ids: ids.slice(0, wanted) }
      }
    }
    return undefined
  }

  /** The ids of a block's events, flat, and which of them are the key's. */
  async #find(height: number, keys: Uint8Array, budget: ReadBudget): Promise<Found> {
    budget.spend(keys.byteLength)
    const prefixes = words(keys)
    const count = prefixes.length / KEY_COLUMNS
    const start = this.#index * count
    const places: number[] = []
    for (let i = 0; i < count; i++) if (prefixes[start + i] === this.#prefix) places.push(i)
    if (places.length === 0) return NOTHING
    const ids = (await this.#sources.eventRows.ids(height))?.ids
    if (ids === undefined) return NOTHING
    budget.spend(ids.byteLength)
    return { ids, places: this.#isExact ? await this.#withKey(height, places, budget) : places }
  }

  async #withKey(height: number, places: readonly number[], budget: ReadBudget): Promise<number[]> {
    const events = (await this.#sources.eventsAt(height)) ?? []
    budget.spend(events.reduce((bytes, event) => bytes + event.byteLength, 0))
    return places.filter((i) => {
      const event = events[i]
      return event !== undefined && equalBytes(sha256(indexKeysOf(event)[this.#index]), this.#keyHash)
    })
  }

  /** @param at how many of the key's events in the block are before it */
  #fold(height: number, at: number, ids: Uint8Array, place: number): void {
    foldRecord(this.#record, 0, ids, place * HASH_BYTES)
    this.#count++
    if (this.#count % MAX_PAGE_IDS === 0) this.#marks.push({ ...readEntry(this.#record, 0), height, skip: at + 1 })
    const last = this.#runs.at(-1)
    if (last !== undefined && height - last.to <= this.#gap) {
      this.#runs[this.#runs.length - 1] = { from: last.from, to: height }
      return
    }
    this.#runs.push({ from: height, to: height })
    if (this.#runs.length > MAX_RUNS) this.#joinRuns()
  }

  #joinRuns(): void {
    while (this.#runs.length > MAX_RUNS / 2) {
      this.#gap *= 2
      const joined: HeightRange[] = []
      for (const run of this.#runs) {
        const last = joined.at(-1)
        if (last === undefined || run.from - last.to > this.#gap) joined.push(run)
        else joined[joined.length - 1] = { from: last.from, to: run.to }
      }
      this.#runs = joined
    }
  }

  /** Place of the first run that does not end below a height. */
  #firstRun(height: number): number {
    let low = 0
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#runs[middle] as HeightRange).to < height) low = middle + 1
      else high = middle
    }
    return low
  }

  /** One reads at a time; the next one goes on from there. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }
}
