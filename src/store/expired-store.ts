import { toHex } from '../codec/bytes.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { heightKey, heightOfKey, heightRange, TABLE } from './keys.ts'

/** Expired events are kept to be signed again, the newest of them: each costs some 200 bytes of memory to be found. */
const MAX_EXPIRED_EVENTS = 100_000
/** The same in bytes of the disk, which outages with large events must not fill. */
const MAX_EXPIRED_BYTES = 64 << 20

/** For tests: reached with few events. */
export interface ExpiredBounds {
  readonly events: number
  readonly bytes: number
}

export interface ExpiredRow {
  /** Its number in the order of expiry. */
  readonly place: number
  /** The encoded SignedEvent. */
  readonly bytes: Uint8Array
}

/** The events that were acknowledged and whose window passed before any block took them, in order of expiry. */
export class ExpiredStore {
  readonly #database: Database
  readonly #bounds: ExpiredBounds
  /** By id, the oldest first. */
  readonly #held = new Map<string, { readonly place: number; readonly size: number }>()
  #bytes = 0
  #nextPlace = 1

  constructor(database: Database, bounds: ExpiredBounds = { events: MAX_EXPIRED_EVENTS, bytes: MAX_EXPIRED_BYTES }) {
    this.#database = database
    this.#bounds = bounds
  }

  /** @param idOf what the event at a place has for an id; what it throws comes through */
  async load(idOf: (place: number, bytes: Uint8Array) => Uint8Array): Promise<void> {
    for await (const [key, bytes] of this.#database.rows(heightRange(TABLE.EXPIRED, 0))) {
      const place = heightOfKey(key)
      this.#hold(toHex(idOf(place, bytes)), place, bytes.byteLength)
    }
  }

  /** Adds an event, and lets go of the oldest that there is no room for. @returns how many those are */
  put(batch: WriteBatch, id: string, bytes: Uint8Array): number {
    const place = this.#nextPlace
    this.#hold(id, place, bytes.byteLength)
    batch.put(heightKey(TABLE.EXPIRED, place), bytes)
    let dropped = 0
    for (const [oldest, held] of this.#held) {
      if (this.#held.size <= this.#bounds.events && this.#bytes <= this.#bounds.bytes) break
      this.#held.delete(oldest)
      this.#bytes -= held.size
      batch.del(heightKey(TABLE.EXPIRED, held.place))
      dropped++
    }
    return dropped
  }

  #hold(id: string, place: number, size: number): void {
    this.#held.set(id, { place, size })
    this.#bytes += size
    this.#nextPlace = place + 1
  }

  /** The encoded SignedEvent. */
  async get(id: Uint8Array): Promise<Uint8Array | undefined> {
    const held = this.#held.get(toHex(id))
    return held && this.#database.get(heightKey(TABLE.EXPIRED, held.place))
  }

  /** The newest first. @param below only those with a smaller place */
  async *rows(below?: number): AsyncGenerator<ExpiredRow> {
    const range = heightRange(TABLE.EXPIRED, 0, below === undefined ? undefined : below - 1)
    for await (const [key, bytes] of this.#database.rows({ ...range, reverse: true })) {
      yield { place: heightOfKey(key), bytes }
    }
  }
}
