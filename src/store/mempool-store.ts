import { toHex } from '../codec/bytes.ts'
import { messageOf } from '../error.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { corrupt } from './errors.ts'
import { heightKey, heightOfKey, heightRange, TABLE } from './keys.ts'

export interface StoredEvent {
  readonly id: Uint8Array
  /** The encoded SignedEvent. */
  readonly bytes: Uint8Array
}

/** Events that expired are kept to be signed again, the newest of them: an outage must not fill the disk. */
const MAX_EXPIRED_EVENTS = 100_000

/**
 * The events that were accepted and wait, in order of arrival. A caller's event is acknowledged once it is here, so it
 * outlives a crash; the batch that finalizes it takes it out.
 */
export class MempoolStore {
  readonly #database: Database
  /** id → place in the order of arrival, of every event that has a row or is about to. */
  readonly #places = new Map<string, number>()
  #nextPlace = 1
  #nextExpired = 1
  #oldestExpired = 1
  #waiting: StoredEvent[] = []
  #flush: Promise<void> | undefined

  constructor(database: Database) {
    this.#database = database
  }

  get size(): number {
    return this.#places.size
  }

  /**
   * Reads all rows.
   * @param read makes an event of its bytes
   * @throws MolochError STORE_CORRUPT if it can't
   */
  async load<Event extends StoredEvent>(read: (bytes: Uint8Array) => Event): Promise<Event[]> {
    const events: Event[] = []
    for await (const [key, bytes] of this.#database.rows(heightRange(TABLE.MEMPOOL, 0))) {
      const place = heightOfKey(key)
      const event = this.#read(place, bytes, read)
      this.#places.set(toHex(event.id), place)
      this.#nextPlace = place + 1
      events.push(event)
    }
    const newest = await this.#database.first({ ...heightRange(TABLE.EXPIRED, 0), reverse: true })
    const oldest = await this.#database.first(heightRange(TABLE.EXPIRED, 0))
    if (newest !== undefined) this.#nextExpired = heightOfKey(newest[0]) + 1
    this.#oldestExpired = oldest === undefined ? this.#nextExpired : heightOfKey(oldest[0])
    return events
  }

  #read<Event>(place: number, bytes: Uint8Array, read: (bytes: Uint8Array) => Event): Event {
    try {
      return read(bytes)
    } catch (error) {
      throw corrupt(this.#database.path, `event ${place} of the mempool: ${messageOf(error)}`, error)
    }
  }

  /** Resolves when the events are on disk. Calls that come while a write is under way share the next one's fsync. */
  save(events: readonly StoredEvent[]): Promise<void> {
    for (const event of events) {
      const id = toHex(event.id)
      if (this.#places.has(id)) continue
      this.#places.set(id, this.#nextPlace++)
      this.#waiting.push(event)
    }
    // Not the write that is under way: an event that is known may still be waiting for its own.
    this.#flush ??= this.#writeWaiting()
    return this.#flush
  }

  async #writeWaiting(): Promise<void> {
    try {
      await this.#database.idle()
    } finally {
      // In one turn with taking what waits: a call in between would begin a flush that finds nothing, and resolve early.
      this.#flush = undefined
    }
    const batch = this.#database.batch()
    for (const { id, bytes } of this.#waiting) {
      // Without a place: finalized or dropped since it was asked for.
      const place = this.#places.get(toHex(id))
      if (place !== undefined) batch.put(heightKey(TABLE.MEMPOOL, place), bytes)
    }
    this.#waiting = []
    if (batch.operations > 0) return this.#database.write(batch)
    await batch.discard()
    // What was finalized or expired meanwhile is on disk with the write that took it out.
    await this.#database.idle()
  }

  /** Takes the events with these ids (32·n bytes) out, in the given batch. */
  remove(batch: WriteBatch, ids: Uint8Array): void {
    if (this.#places.size === 0) return
    for (let at = 0; at < ids.byteLength; at += 32) this.#remove(batch, ids.subarray(at, at + 32))
  }

  #remove(batch: WriteBatch, id: Uint8Array): void {
    const hex = toHex(id)
    const place = this.#places.get(hex)
    if (place === undefined) return
    this.#places.delete(hex)
    batch.del(heightKey(TABLE.MEMPOOL, place))
  }

  /** Moves events whose window passed to the expired ones. */
  expire(batch: WriteBatch, events: readonly StoredEvent[]): void {
    for (const { id, bytes } of events) {
      this.#remove(batch, id)
      batch.put(heightKey(TABLE.EXPIRED, this.#nextExpired++), bytes)
    }
    while (this.#nextExpired - this.#oldestExpired > MAX_EXPIRED_EVENTS) {
      batch.del(heightKey(TABLE.EXPIRED, this.#oldestExpired++))
    }
  }

  /** Expired events, the newest first. */
  async *expired(): AsyncGenerator<Uint8Array> {
    for await (const [, bytes] of this.#database.rows({ ...heightRange(TABLE.EXPIRED, 0), reverse: true })) yield bytes
  }
}
