import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CheckedHeader } from '../chain/check-header.ts'
import { type Failure, failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { type HeaderChain, headerChainAt, type TrustedTip, underAnchor } from '../chain/header-chain.ts'
import { equalBytes } from '../codec/bytes.ts'
import type { Header } from '../codec/generated/chain.ts'
import { Emitter } from '../emitter.ts'
import { MolochError } from '../error.ts'
import type { ApplyResult } from '../ledger/apply.ts'
import { type Conflict, conflictError } from '../ledger/conflict.ts'
import { type EvidencePage, evidencePage } from '../ledger/evidence-page.ts'
import type { Room } from '../ledger/query.ts'
import type { Log } from '../log.ts'
import type { EvidenceRecord } from '../store/evidence-store.ts'
import type { StoredTip } from '../store/meta-store.ts'
import { type Held, holds } from './held.ts'
import { type LightChainOptions, type LightParts, openLight } from './open.ts'
import { HeaderReader } from './reader.ts'
import { Rivals } from './rivals.ts'

export type { LightChainOptions } from './open.ts'

/** A certified header for a gap, and what proves it: the path of its hash under the mmr_root of a held header above it. */
export interface ProvenHeader {
  readonly header: CheckedHeader
  readonly anchorHeight: number
  readonly path: readonly Uint8Array[]
}

type LightChainEvents = {
  /** A header is trusted and on disk: the new tip. In the order of heights, each once. */
  finalized: [{ readonly header: CheckedHeader }]
  /** Another certified header was seen at a trusted height: nothing is taken from here on. */
  conflict: [Conflict]
}

/** The loop has pings to answer while a long run of headers is linked. */
const SLICE_MS = 8

/**
 * The headers that a light node trusts, on disk, and the only writer of them: what a ledger is to a full node. Nothing
 * trusted is ever taken back; headers between trusted ones may be missing and come later.
 */
export class LightChain extends Emitter<LightChainEvents> {
  readonly genesis: Genesis
  readonly #log: Log
  readonly #parts: LightParts
  readonly #reader: HeaderReader
  readonly #rivals: Rivals
  #chain: HeaderChain
  /** Never ahead of the disk, as `chain` may be. */
  #tip: TrustedTip
  /** Linked in memory, but not on disk yet. */
  #run: CheckedHeader[] = []
  /** Of the range over the blocks before the last of the run. */
  #peaks: readonly Uint8Array[] = []
  #last: Promise<unknown> = Promise.resolve()
  #closed = false
  /** A write failed: memory is ahead of the disk and can't be trusted. */
  #failed: unknown

  private constructor(options: LightChainOptions, parts: LightParts) {
    super()
    this.genesis = options.genesis
    this.#log = options.log
    this.#parts = parts
    this.#chain = parts.chain
    this.#tip = parts.chain.tip
    const { genesis } = options
    const { evidence, conflict } = parts
    this.#reader = new HeaderReader(genesis, parts.log, options.path)
    const onConflict = (found: Conflict) => this.#conflicted(found)
    this.#rivals = new Rivals({ genesis, reader: this.#reader, evidence, conflict, onConflict })
  }

  /**
   * Opens the headers in `path` at their last trusted one, whatever a crash left; at block 0 if there are none.
   * @throws MolochError with a StoreErrorCode
   */
  static async open(options: LightChainOptions): Promise<LightChain> {
    return new LightChain(options, await openLight(options))
  }

  /** The last trusted header that is on disk; block 0's before the first. */
  get tip(): TrustedTip {
    return this.#tip
  }

  /** What somebody trusted to begin with; undefined: block 0. */
  get checkpoint(): StoredTip | undefined {
    return this.#parts.log.state?.checkpoint
  }

  /** Heights whose headers are here, ascending; block 0, which the genesis implies, is in none. */
  get held(): Held {
    return this.#parts.log.held
  }

  /** Why nothing more is taken; undefined: all is well. */
  get conflict(): Conflict | undefined {
    return this.#rivals.conflict
  }

  /**
   * Appends headers in ascending order: each must follow the one before. Those that do are on disk, in one atomic batch,
   * when this resolves. Headers that are trusted already are passed over. Calls wait for each other.
   * @throws MolochError CONFLICTING_FINALITY, STORE_FAILED, LEDGER_CLOSED
   */
  apply(headers: readonly CheckedHeader[]): Promise<ApplyResult> {
    return this.#alone(() => this.#apply(headers))
  }

  /**
   * Begins at a checkpoint. Does nothing if that header is held already.
   * @param header whose hash is the checkpoint's: its claims are checked here, its hash is whoever calls this trusts
   * @param peaks of the range over the blocks before it, from anybody
   * @returns what is wrong with it; then nothing has changed
   * @throws as `apply`
   */
  openAt(header: CheckedHeader, peaks: readonly Uint8Array[]): Promise<Failure | undefined> {
    return this.#alone(async () => {
      if (holds(this.held, header.height)) return this.#rivals.compare(header)
      if (this.#tip.height > 0) {
        const message = `the checkpoint's height is ${header.height}; the headers here go up to ${this.#tip.height} already`
        return failure('BAD_HEIGHT', `${message}: start without it, or with another home`)
      }
      const chain = headerChainAt(this.genesis, header, peaks)
      if ('code' in chain) return chain
      this.#chain = chain
      await this.#append([header], peaks, true)
      return undefined
    })
  }

  /**
   * Makes a certified header far above the tip without those between, which may come later (`insertProven`).
   * @param peaks of the range over the blocks before it
   * @param path of the tip's hash under its mmr_root
   * @param from the tip that the path was asked for
   * @returns what is wrong with it; then nothing has changed
   * @throws as `apply`; UNAVAILABLE if the tip is another one by now: nobody's fault
   */
  skip(
    to: CheckedHeader,
    peaks: readonly Uint8Array[],
    path: readonly Uint8Array[],
    from: Pick<TrustedTip, 'hash'> = this.#tip
  ): Promise<Failure | undefined> {
    return this.#alone(async () => {
      if (!equalBytes(this.#chain.tip.hash, from.hash)) throw new MolochError('UNAVAILABLE', 'the tip has moved')
      if (holds(this.held, to.height)) return this.#rivals.compare(to)
      const fault = this.#chain.skip(to, peaks, path)
      if (fault === undefined) await this.#append([to], peaks)
      else if (to.height === this.#tip.height + 1) await this.#rivals.forked(this.#tip, to)
      return fault
    })
  }

  /**
   * Puts headers into gaps. Those that would be pruned at once are checked but not stored.
   * @returns how many were new, and the first fault; headers before it are on disk
   * @throws as `apply`
   */
  insertProven(proven: readonly ProvenHeader[]): Promise<ApplyResult> {
    return this.#alone(async () => {
      const good: CheckedHeader[] = []
      for (const [index, { header, anchorHeight, path }] of proven.entries()) {
        const known = holds(this.held, header.height)
        const fault = known ? await this.#rivals.compare(header) : await this.#proofFailure(header, anchorHeight, path)
        if (fault !== undefined) {
          await this.#guard(this.#parts.log.insert(good))
          return { applied: good.length, failure: { index, failure: fault } }
        }
        if (!known) good.push(header)
      }
      await this.#guard(this.#parts.log.insert(good))
      return { applied: good.length }
    })
  }

  /** Undefined if it is not held. @throws MolochError STORE_CORRUPT */
  headerAt(height: number): Promise<{ header: Header; hash: Uint8Array } | undefined> {
    return this.#reader.headerAt(height)
  }

  /** The encoded TrustedHeader; undefined for block 0 and if it is not held. @throws MolochError STORE_CORRUPT */
  trustedAt(height: number): Promise<Uint8Array | undefined> {
    return this.#reader.trustedAt(height)
  }

  /** Keeps the proof of a fault, as the ledger does. @returns false if the slot has one, or there is no room */
  saveEvidence(record: EvidenceRecord, slot: string): Promise<boolean> {
    return this.#parts.evidence.add(record, slot)
  }

  /** Proofs of faults, the highest first, at most `limit`. */
  evidence(limit = 1000): Promise<EvidenceRecord[]> {
    return this.#parts.evidence.highest(limit)
  }

  /** The same by pages. @throws MolochError BAD_CURSOR */
  evidencePage(cursor: string | undefined, limit: number, fits: Room<EvidenceRecord>): Promise<EvidencePage> {
    return evidencePage(this.#parts.evidence, cursor, limit, fits)
  }

  /** Closes after what is under way. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#last
    await this.#parts.database.close()
  }

  /** One after the other, as long as what is held can be trusted. */
  async #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw new MolochError('LEDGER_CLOSED', 'the chain of headers is closed')
    const mine = this.#last.then(() => {
      if (this.conflict !== undefined) throw conflictError(this.conflict)
      if (this.#failed !== undefined) throw this.#failed
      return work()
    })
    this.#last = mine.catch(() => {})
    return mine
  }

  async #apply(headers: readonly CheckedHeader[]): Promise<ApplyResult> {
    let applied = 0
    let since = performance.now()
    for (const [index, header] of headers.entries()) {
      const known = header.height > 0 && header.height <= this.#chain.tip.height
      if (known) await this.#flush()
      const fault = known ? await this.#rivals.compare(header) : this.#chain.check(header)
      if (fault !== undefined) {
        await this.#flush()
        if (fault.code === 'BAD_PARENT') await this.#rivals.forked(this.#tip, header)
        return { applied, failure: { index, failure: fault } }
      }
      if (known) continue
      this.#peaks = this.#chain.peaks
      this.#chain.advance(header)
      this.#run.push(header)
      applied++
      if (performance.now() - since < SLICE_MS) continue
      await nextTurn()
      since = performance.now()
    }
    await this.#flush()
    return { applied }
  }

  async #flush(): Promise<void> {
    const run = this.#run
    this.#run = []
    if (run.length > 0) await this.#append(run, this.#peaks)
  }

  /** Writes, publishes, and tells of it. */
  async #append(headers: readonly CheckedHeader[], peaks: readonly Uint8Array[], asCheckpoint = false): Promise<void> {
    const { tip } = this.#chain
    await this.#guard(this.#parts.log.append(headers, peaks, asCheckpoint))
    this.#tip = tip
    for (const header of headers) {
      try {
        this.emit('finalized', { header })
      } catch (error) {
        // The header is trusted whatever a listener makes of it.
        this.#log.error({ err: error, height: header.height }, 'a listener of finalized headers failed')
      }
    }
  }

  async #guard(write: Promise<void>): Promise<void> {
    try {
      await write
    } catch (error) {
      this.#failed = error
      throw error
    }
  }

  async #proofFailure(
    header: CheckedHeader,
    anchorHeight: number,
    path: readonly Uint8Array[]
  ): Promise<Failure | undefined> {
    const anchor = anchorHeight === this.#tip.height ? this.#tip : await this.headerAt(anchorHeight)
    // Pruned since it was asked for: nobody's fault.
    if (anchor === undefined)
      throw new MolochError('UNAVAILABLE', `header ${anchorHeight}, the anchor, is not held here`)
    return underAnchor(this.genesis, header, anchor.header, path)
  }

  #conflicted(conflict: Conflict): void {
    const { height, validators } = conflict
    this.#log.error({ height, validators }, conflictError(conflict).message)
    this.emit('conflict', conflict)
  }
}
