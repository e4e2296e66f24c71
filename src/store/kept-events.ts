import { toHex } from '../codec/bytes.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { heightKey, heightOfKey, heightRange, type TABLE } from './keys.ts'

/** What is kept at most, the newest; without bounds all is. */
export interface KeptBounds {
  readonly events: number
  readonly bytes: number
}

export interface KeptRow {
  /** Its number in the order in which they came here. */
  readonly place: number
  /** The encoded SignedEvent. */
  readonly bytes: Uint8Array
}

/** Acknowledged events that wait for no block any more, in a table of their own. Each costs some 200 bytes of memory to be found. */
export class KeptEvents {
  readonly #database: Database
  readonly #table: typeof TABLE.EXPIRED | typeof TABLE.PASSED
  readonly #bounds: KeptBounds | undefined
  /** By id, the oldest first. */
  readonly #held = new Map<string, { readonly place: number; readonly size: number }>()
  #bytes = 0
  #nextPlace = 1

  constructor(database: Database, table: typeof TABLE.EXPIRED | typeof TABLE.PASSED, bounds?: KeptBounds) {
    this.#database = database
    this.#table = table
    this.#bounds = bounds
  }

  get size(): number {
    return this.#held.size
  }

  /** @param idOf what the event at a place has for an id; what it throws comes through */
  async load(idOf: (place: number, bytes: Uint8Array) => Uint8Array): Promise<void> {
    for await (const [key, bytes] of this.#database.rows(heightRange(this.#table, 0))) {
      const place = heightOfKey(key)
      this.#hold(toHex(idOf(place, bytes)), place, bytes.byteLength)
    }
  }

  /** Adds an event, and lets go of the oldest that there is no room for. @returns how many those are */
  put(batch: WriteBatch, id: string, bytes: Uint8Array): number {
    this.remove(batch, id)
    const place = this.#nextPlace
    this.#hold(id, place, bytes.byteLength)
    batch.put(heightKey(this.#table, place), bytes)
    let dropped = 0
    for (const oldest of this.#held.keys()) {
      if (this.#bounds === undefined) break
      if (this.#held.size <= this.#bounds.events && this.#bytes <= this.#bounds.bytes) break
      this.remove(batch, oldest)
      dropped++
    }
    return dropped
  }

  /** @returns whether it was here */
  remove(batch: WriteBatch, id: string): boolean {
    const held = this.#held.get(id)
    if (held === undefined) return false
    this.#held.delete(id)
    this.#bytes -= held.size
    batch.del(heightKey(this.#table, held.place))
    return true
  }

  #hold(id: string, place: number, size: number): void {
    this.#held.set(id, { place, size })
    this.#bytes += size
    this.#nextPlace = place + 1
  }

  has(id: string): boolean {
    return this.#held.has(id)
  }

  /** The encoded SignedEvent. */
  async get(id: Uint8Array): Promise<Uint8Array | undefined> {
    const held = this.#held.get(toHex(id))
    return held && this.#database.get(heightKey(this.#table, held.place))
  }

  /** The newest first. @param below only those with a smaller place */
  rows(below?: number): AsyncGenerator<KeptRow> {
    return this.#rows(below === undefined ? undefined : below - 1, true)
  }

  oldestFirst(): AsyncGenerator<KeptRow> {
    return this.#rows(undefined, false)
  }

  async *#rows(to: number | undefined, reverse: boolean): AsyncGenerator<KeptRow> {
    for await (const [key, bytes] of this.#database.rows({ ...heightRange(this.#table, 0, to), reverse })) {
      yield { place: heightOfKey(key), bytes }
    }
  }
}
