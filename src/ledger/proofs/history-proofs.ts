import { foldHead, type HistoryPage } from '../../chain/history.ts'
import { HASH_BYTES } from '../../chain/merkle.ts'
import { STATE_INDEXES, type StateIndex } from '../../chain/state.ts'
import type { IndexEntry } from '../../chain/trie-record.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import type { HistoryProof, KeyProof } from '../../codec/generated/proof.ts'
import type { GetHistoryProof } from '../../codec/generated/sync.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { corrupt } from '../../store/errors.ts'
import type { HeightRange } from '../../store/height-ranges.ts'
import type { Snapshots } from '../snapshot/snapshots.ts'
import { KeyScan, type KeyScanSources } from './key-scan.ts'
import { proofError } from './proof-error.ts'
import { ReadBudget } from './read-budget.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** Of rows, for one request: some tenths of a second. Against keys whose events are few and far between. */
export const HISTORY_READ_BYTES = 32 << 20
/** When a request's reading was not enough, whoever asks again then goes on where it ended. */
const READ_ON_MS = 250
/** Marks and runs of all keys that are kept in memory: some megabytes. The keys asked for last stay. */
const MAX_KEPT = 100_000
/** A key's path is hashed out of a chunk of a snapshot. */
const PATH_READ_BYTES = 256 << 10

export interface HistoryProverParts {
  readonly sources: KeyScanSources
  /** Of the database, for what is wrong with it. */
  readonly path: string
  readonly snapshotInterval: number
  /** Undefined: none are kept. */
  readonly snapshots: () => Snapshots | undefined
  /** Height. */
  readonly tip: () => number
  /** The first heights of 1 … `to` whose blocks are not held. */
  readonly missing: (to: number) => HeightRange | undefined
  readonly readBytes?: number | undefined
}

/**
 * Proofs of what one key's events are (protocol §12), a page a request: what the state of a snapshot says of the key, and
 * the ids of its events backwards. A page is given only if it folds to the head that the state has.
 */
export class HistoryProver {
  readonly #parts: HistoryProverParts
  /** By index and key hash, the one asked for last at the end. */
  readonly #scans = new Map<string, KeyScan>()

  constructor(parts: HistoryProverParts) {
    this.#parts = parts
  }

  /**
   * @param onRead called once, with how many bytes were read for it
   * @throws MolochError UNAVAILABLE, ANCHOR_TOO_OLD, BAD_REQUEST; NOT_READY if the disk does not give it now; RATE_LIMITED
   * if there is more to read than a request may: the next one goes on from there
   */
  async prove(request: GetHistoryProof, onRead?: (bytes: number) => void): Promise<HistoryProof> {
    const { index, key, beforeCount, beforeHead } = request
    if (!isIndex(index)) {
      throw proofError('BAD_REQUEST', `no index ${index}; accepted: 0 (actor), 1 (resource), 2 (action)`)
    }
    if (beforeCount > 0 && beforeHead.byteLength !== HASH_BYTES) {
      throw proofError('BAD_REQUEST', `before_head has ${beforeHead.byteLength} bytes; accepted: ${HASH_BYTES}`)
    }
    if (beforeCount > 0 && request.anchorHeight === 0) {
      throw proofError('BAD_REQUEST', 'a page that goes on is asked for under the anchor of the first')
    }
    const budget = new ReadBudget(this.#parts.readBytes ?? HISTORY_READ_BYTES)
    try {
      if (beforeCount === 0) return await this.#begin(index, key, this.#anchor(request.anchorHeight), budget)
      return await this.#goOn(index, key, request, budget)
    } finally {
      onRead?.(budget.spent)
    }
  }

  async #begin(index: StateIndex, key: Uint8Array, anchorHeight: number, budget: ReadBudget): Promise<HistoryProof> {
    const { state, entry } = await this.#keyProof(index, key, anchorHeight, budget)
    if (entry === undefined) return { anchorHeight, state, pages: [] }
    const scan = this.#scanOf(index, key)
    const page = await this.#prove(scan, anchorHeight, entry, budget)
    return { anchorHeight, state, pages: [page as { prevHead: Bytes; ids: Bytes[] }] }
  }

  async #goOn(
    index: StateIndex,
    key: Uint8Array,
    { anchorHeight, beforeCount: count, beforeHead: head }: GetHistoryProof,
    budget: ReadBudget
  ): Promise<HistoryProof> {
    const scan = this.#scanOf(index, key)
    // Once the state has said what they are, the snapshot is needed no more: it may be gone when the last page is asked for.
    if (scan.proven < count) {
      const { entry } = await this.#keyProof(index, key, this.#anchor(anchorHeight), budget)
      if (entry === undefined || entry.count < count) {
        throw proofError('UNAVAILABLE', `no event ${count} of that key; it has ${entry?.count ?? 0} before the anchor`)
      }
      await this.#prove(scan, anchorHeight, entry, budget)
    }
    const page = await scan.page(count, budget)
    // Begun again for somebody else.
    if (page === undefined) throw this.#readOn(scan, anchorHeight - 1)
    if (equalBytes(foldHead(page), head)) {
      return { anchorHeight, pages: [page as { prevHead: Bytes; ids: Bytes[] }] }
    }
    // Who asks may have the head from somebody else: nothing that it could have known to be wrong.
    throw proofError('UNAVAILABLE', `before_head ${toHex(head)} is not the head of the key's first ${count} events`)
  }

  /** The newest page of what a state says. All that is below is proven with it. */
  async #prove(scan: KeyScan, anchorHeight: number, entry: IndexEntry, budget: ReadBudget): Promise<HistoryPage> {
    const page = await this.#newest(scan, anchorHeight, entry, budget)
    if (page !== undefined) return page
    if (!scan.isExact) {
      // Another key shares its prefix.
      await scan.exact()
      const exact = await this.#newest(scan, anchorHeight, entry, budget)
      if (exact !== undefined) return exact
    }
    const what = `the events before block ${anchorHeight} are not those that the snapshot of that block has`
    throw corrupt(this.#parts.path, what)
  }

  /** Undefined: it is not what the state says. */
  async #newest(
    scan: KeyScan,
    anchorHeight: number,
    { count, head }: IndexEntry,
    budget: ReadBudget
  ): Promise<HistoryPage | undefined> {
    await this.#read(scan, anchorHeight - 1, budget)
    const page = await scan.page(count, budget)
    if (page === undefined || !equalBytes(foldHead(page), head)) return undefined
    scan.proven = Math.max(scan.proven, count)
    return page
  }

  async #read(scan: KeyScan, to: number, budget: ReadBudget): Promise<void> {
    const missing = this.#parts.missing(to)
    if (missing !== undefined) {
      const heights = `blocks ${missing.from} to ${missing.to}`
      throw proofError('UNAVAILABLE', `the events of ${heights} are history not held here, and some may be the key's`)
    }
    await scan.advance(to, budget)
    if (scan.next <= to) throw this.#readOn(scan, to)
  }

  #readOn(scan: KeyScan, to: number): Error {
    const done = `its events are looked for up to block ${scan.next - 1} of ${to}`
    return proofError('RATE_LIMITED', `${done}; asked again, this goes on`, { retryAfterMs: READ_ON_MS })
  }

  async #keyProof(
    index: StateIndex,
    key: Uint8Array,
    height: number,
    budget: ReadBudget
  ): Promise<{ readonly state: KeyProof; readonly entry: IndexEntry | undefined }> {
    budget.spend(PATH_READ_BYTES)
    const proof = await this.#parts.snapshots()?.keyProof(height, index, key)
    if (proof === undefined) throw proofError('UNAVAILABLE', `the snapshot of block ${height} cannot be read any more`)
    const { eventTotal, otherRoots, siblings, leaf } = proof
    const entry = leaf !== undefined && equalBytes(leaf.keyHash, sha256(key)) ? leaf : undefined
    const state = { eventTotal, otherRoots, siblings, ...(leaf === undefined ? {} : { leaf }) }
    return { state: state as unknown as KeyProof, entry }
  }

  /** Of the snapshot that is meant. */
  #anchor(height: number): number {
    const { snapshots, snapshotInterval, tip } = this.#parts
    const kept = snapshots()
    if (kept === undefined) {
      const why = 'this node keeps no snapshots (snapshot.keep is 0), and the proof of a history is anchored at one'
      throw proofError('UNAVAILABLE', why)
    }
    if (height % snapshotInterval !== 0) {
      throw proofError('BAD_REQUEST', `block ${height} has no snapshot; accepted: a multiple of ${snapshotInterval}`)
    }
    const found = kept.held(height)
    if (found !== undefined) return found.manifest.height
    const [newest = 0] = kept.heights
    const held = newest === 0 ? 'no snapshot yet' : `snapshots of ${kept.heights.join(', ')}`
    if (height !== 0 && height < newest) {
      throw proofError('ANCHOR_TOO_OLD', `the snapshot of block ${height} is not kept; this node has ${held}`)
    }
    const at = height === 0 ? '' : ` of block ${height}`
    throw proofError('UNAVAILABLE', `no snapshot${at} here; this node has ${held}, its tip is ${tip()}`)
  }

  #scanOf(index: StateIndex, key: Uint8Array): KeyScan {
    const keyHash = sha256(key)
    const name = `${index}${toHex(keyHash)}`
    const scan = this.#scans.get(name) ?? new KeyScan(this.#parts.sources, index, keyHash)
    this.#scans.delete(name)
    let kept = scan.size
    for (const other of this.#scans.values()) kept += other.size
    for (const [first, other] of this.#scans) {
      if (kept <= MAX_KEPT) break
      kept -= other.size
      this.#scans.delete(first)
    }
    this.#scans.set(name, scan)
    return scan
  }
}

function isIndex(index: number): index is StateIndex {
  return (STATE_INDEXES as readonly number[]).includes(index)
}
