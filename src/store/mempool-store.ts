import { toHex } from '../codec/bytes.ts'
import { messageOf } from '../error.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { corrupt } from './errors.ts'
import { type KeptBounds, KeptEvents } from './kept-events.ts'
import { heightKey, heightOfKey, heightRange, TABLE } from './keys.ts'

export interface StoredEvent {
  readonly id: Uint8Array
  /** The encoded SignedEvent. */
  readonly bytes: Uint8Array
}

/** What became of an event that no block may take any more. `unknown`: blocks that may have it are not held. */
export type EventFate = 'final' | 'expired' | 'unknown'

/** An event that waits no longer. */
export interface SettledEvent extends StoredEvent {
  readonly fate: EventFate
}

/** Of a batch: after an outage there may be a whole mempool, which LevelDB would hold twice. */
const MAX_SETTLE_BATCH_BYTES = 1 << 20

/** Of the expired events the newest are kept to be signed again; outages with large events must not fill the disk. */
const EXPIRED_BOUNDS: KeptBounds = { events: 100_000, bytes: 64 << 20 }

/**
 * The events that were accepted and wait, in order of arrival. A caller's event is acknowledged once it is here, so it
 * outlives a crash; the batch that finalizes it takes it out.
 */
export class MempoolStore {
  /** Those that no block took within their window. */
  readonly expired: KeptEvents
  /**
   * Those whose fate is not known. There is no bound but that of what waits: only an event of the two windows around the
   * block that the node began at can come here.
   */
  readonly passed: KeptEvents
  readonly #database: Database
  /** id → place in the order of arrival, of every event that has a row or is about to. */
  readonly #places = new Map<string, number>()
  #nextPlace = 1
  #waiting: StoredEvent[] = []
  #flush: Promise<void> | undefined

  constructor(database: Database, expiredBounds = EXPIRED_BOUNDS) {
    this.#database = database
    this.expired = new KeptEvents(database, TABLE.EXPIRED, expiredBounds)
    this.passed = new KeptEvents(database, TABLE.PASSED)
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
    for (const kept of [this.expired, this.passed]) {
      await kept.load((place, bytes) => this.#read(place, bytes, read).id)
    }
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

  /** Takes the events with these ids (32·n bytes each) out. @throws MolochError STORE_FAILED */
  async forget(ids: readonly Uint8Array[]): Promise<void> {
    if (this.#places.size === 0) return
    const batch = this.#database.batch()
    for (const some of ids) this.remove(batch, some)
    await (batch.operations > 0 ? this.#database.write(batch) : batch.discard())
  }

  #remove(batch: WriteBatch, id: Uint8Array): boolean {
    const hex = toHex(id)
    const place = this.#places.get(hex)
    if (place === undefined) return false
    this.#places.delete(hex)
    batch.del(heightKey(TABLE.MEMPOOL, place))
    return true
  }

  /**
   * Takes out events whose window passed, and keeps those that are not final. What has no row here came by gossip: nobody
   * was promised anything about it.
   * @returns how many had one, by fate, and how many older expired ones that there was no room for were let go
   * @throws MolochError STORE_FAILED
   */
  async settle(events: readonly SettledEvent[]): Promise<Record<EventFate | 'dropped', number>> {
    const count = { final: 0, expired: 0, unknown: 0, dropped: 0 }
    let batch = this.#database.batch()
    for (const { id, bytes, fate } of events) {
      const hex = toHex(id)
      const waited = this.#remove(batch, id)
      const passed = this.passed.remove(batch, hex)
      if (!waited && !passed) continue
      count[fate]++
      if (fate === 'expired') count.dropped += this.expired.put(batch, hex, bytes)
      if (fate === 'unknown') this.passed.put(batch, hex, bytes)
      if (batch.bytes < MAX_SETTLE_BATCH_BYTES) continue
      await this.#database.write(batch)
      batch = this.#database.batch()
    }
    await (batch.operations > 0 ? this.#database.write(batch) : batch.discard())
    return count
  }
}
