import { HASH_BYTES } from '../chain/merkle.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import type { EventRows } from './event-rows.ts'
import { bytesKey, heightBytes, heightOfKey, rangeOf, TABLE, words } from './keys.ts'
import { type BlockIds, bucketOf, type EventPlace, packSegment, placesIn } from './segment.ts'

/**
 * Events that are gathered before they are written as a segment: 2 MiB of ids in memory, about 64 places in each of a
 * segment's rows, and a look-up reads one such row a segment, all of them neighbours.
 */
const SEGMENT_EVENTS = 1 << 16

/** Below any bucket's rows lies none of these: one a segment, to tell how far the segments go. */
const MARKER = Uint8Array.of(0xff, 0xff)

/**
 * Event id → height and index. One row an event would cost more than everything else that a block writes, for its keys
 * are random. So the newest events are found in memory, rebuilt at open from the rows of their ids, and each 65 536
 * are written as one segment: 1024 rows by the first bits of the id, in the batch of the block that completes it.
 * Rows hold 58 bits of an id; every place that matches is compared with the whole id, so collisions cost a read and
 * are never wrong.
 */
export class EventIndex {
  readonly #database: Database
  readonly #rows: EventRows
  readonly #segmentEvents: number
  /** Blocks since the last segment. */
  #young: BlockIds[] = []
  #youngEvents = 0
  /** Segments whose batch is not on disk yet. */
  #sealing: BlockIds[][] = []

  constructor(database: Database, rows: EventRows, segmentEvents = SEGMENT_EVENTS) {
    this.#database = database
    this.#rows = rows
    this.#segmentEvents = segmentEvents
  }

  /** Reads what no segment holds yet. */
  async load(): Promise<void> {
    const sealed = (await this.lastSegment()) ?? 0
    for await (const row of this.#rows.idsFrom(sealed + 1)) this.#add(row.height, row.ids)
  }

  /** Adds a block's events; the batch gets a segment when there are enough. Call `written` when it is on disk. */
  add(batch: WriteBatch, height: number, ids: Uint8Array): void {
    this.#add(height, ids)
    if (this.#youngEvents < this.#segmentEvents) return
    const segment = this.#young
    for (const [bucket, row] of packSegment(segment)) batch.put(segmentKey(bucket, height), row)
    batch.put(bytesKey(TABLE.SEGMENT, MARKER, heightBytes(height)), new Uint8Array(0))
    this.#sealing.push(segment)
    this.#young = []
    this.#youngEvents = 0
  }

  #add(height: number, ids: Uint8Array): void {
    if (ids.byteLength === 0) return
    // A copy: the block's ids are a view of a whole download.
    this.#young.push({ height, ids: new Uint8Array(ids) })
    this.#youngEvents += ids.byteLength / HASH_BYTES
  }

  written(): void {
    this.#sealing = []
  }

  /** Where the event is, by its whole id. */
  async find(id: Uint8Array): Promise<EventPlace | undefined> {
    for (const blocks of [this.#young, ...this.#sealing]) {
      const place = findIn(blocks, id)
      if (place !== undefined) return place
    }
    for await (const [, row] of this.#database.rows(rangeOf(TABLE.SEGMENT, bucketBytes(bucketOf(id))))) {
      for (const place of placesIn(row, id)) {
        const ids = (await this.#rows.ids(place.height))?.ids
        if (ids !== undefined && idAt(ids, place.index, id)) return place
      }
    }
    return undefined
  }

  /** The last height that a segment covers. */
  async lastSegment(): Promise<number | undefined> {
    const row = await this.#database.first({ ...rangeOf(TABLE.SEGMENT, MARKER), reverse: true })
    return row && heightOfKey(row[0])
  }

  /** The last heights of all segments, ascending. */
  async segments(): Promise<number[]> {
    const heights: number[] = []
    for await (const [key] of this.#database.rows(rangeOf(TABLE.SEGMENT, MARKER))) heights.push(heightOfKey(key))
    return heights
  }

  segmentRow(bucket: number, lastHeight: number): Promise<Uint8Array | undefined> {
    return this.#database.get(segmentKey(bucket, lastHeight))
  }

  /** Number of rows of all segments, markers aside; a walk over them. */
  async countRows(): Promise<number> {
    let count = 0
    const end = bytesKey(TABLE.SEGMENT, MARKER)
    for await (const _ of this.#database.rows({ gte: Uint8Array.of(TABLE.SEGMENT), lt: end, fillCache: false })) count++
    return count
  }
}

function segmentKey(bucket: number, lastHeight: number): Uint8Array {
  return bytesKey(TABLE.SEGMENT, bucketBytes(bucket), heightBytes(lastHeight))
}

function bucketBytes(bucket: number): Uint8Array {
  return Uint8Array.of(bucket >>> 8, bucket & 0xff)
}

/** A look at the first word of every id: 65 536 of them take a tenth of a millisecond. */
function findIn(blocks: readonly BlockIds[], id: Uint8Array): EventPlace | undefined {
  const [first] = words(id)
  for (const { height, ids } of blocks) {
    const all = words(ids)
    for (let at = 0, index = 0; at < all.length; at += HASH_BYTES / 4, index++) {
      if (all[at] === first && idAt(ids, index, id)) return { height, index }
    }
  }
  return undefined
}

function idAt(ids: Uint8Array, index: number, id: Uint8Array): boolean {
  return Buffer.compare(ids.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES), id) === 0
}
