import type { CheckedHeader } from '../chain/check-header.ts'
import type { WriteBatch } from '../store/batch.ts'
import type { Database } from '../store/database.ts'
import type { HeaderStore, StoredState } from './header-store.ts'
import { type Held, holds, lowest, without, withRange } from './held.ts'

/** Deleted with one write at most: a home that is to keep fewer from now on must not hold up its headers for that. */
const MAX_PRUNED = 1024
/**
 * Ranges that headers asked for one by one may leave: the row that names them is written with every batch, and reads of
 * whatever heights somebody likes must not make it large.
 */
const MAX_RANGES = 1024

/** Which headers are on disk: every write is one atomic batch of headers and of what they add up to. */
export class HeaderLog {
  readonly #database: Database
  readonly #store: HeaderStore
  readonly #keep: number
  #state: StoredState | undefined

  /** @param keep headers up to the tip; 0: all */
  constructor(database: Database, store: HeaderStore, keep: number, state: StoredState | undefined) {
    this.#database = database
    this.#store = store
    this.#keep = keep
    this.#state = state
  }

  /** As it is on disk; undefined: no header yet. */
  get state(): StoredState | undefined {
    return this.#state
  }

  get held(): Held {
    return this.#state?.held ?? []
  }

  /** Undefined if it is not held. */
  async get(height: number): Promise<Uint8Array | undefined> {
    return holds(this.held, height) ? this.#store.get(height) : undefined
  }

  /**
   * Writes consecutive headers that make the last of them the tip, and deletes those that are no longer to be kept.
   * @param peaks of the range over the blocks before the last of them
   * @param asCheckpoint whether that is what somebody trusted to begin with
   * @throws MolochError STORE_FAILED
   */
  async append(headers: readonly CheckedHeader[], peaks: readonly Uint8Array[], asCheckpoint = false): Promise<void> {
    const [first, last] = [headers[0], headers.at(-1)]
    if (first === undefined || last === undefined) return
    const tip = { height: last.height, hash: last.hash.slice() }
    const checkpoint = asCheckpoint ? tip : this.#state?.checkpoint
    const batch = this.#database.batch()
    for (const { height, bytes } of headers) this.#store.put(batch, height, bytes)
    let held = withRange(this.held, { from: first.height, to: last.height })
    for (const height of lowest(held, this.#line(tip.height), MAX_PRUNED, checkpoint?.height)) {
      this.#store.remove(batch, height)
      held = without(held, { from: height, to: height })
    }
    await this.#write(batch, { tip, peaks: peaks.map((peak) => peak.slice()), checkpoint, held })
  }

  /**
   * Writes headers of heights below the tip, but for those that would be pruned at once or would leave too many ranges.
   * @throws MolochError STORE_FAILED
   */
  async insert(headers: readonly CheckedHeader[]): Promise<void> {
    const state = this.#state
    if (state === undefined) return
    let { held } = state
    const batch = this.#database.batch()
    for (const { height, bytes } of headers) {
      const grown = withRange(held, { from: height, to: height })
      if (height < this.#line(state.tip.height) || grown.length > Math.max(held.length, MAX_RANGES)) continue
      held = grown
      this.#store.put(batch, height, bytes)
    }
    if (batch.operations > 0) await this.#write(batch, { ...state, held })
    else await batch.discard()
  }

  async #write(batch: WriteBatch, state: StoredState): Promise<void> {
    this.#store.setState(batch, state)
    await this.#database.write(batch)
    this.#state = state
  }

  /** The lowest height that is kept when this is the tip's. */
  #line(tip: number): number {
    return this.#keep === 0 ? 0 : tip - this.#keep + 1
  }
}
