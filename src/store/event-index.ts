import { HASH_BYTES } from '../chain/merkle.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import type { EventRows } from './event-rows.ts'
import type { HeightRange, HeightRanges } from './height-ranges.ts'
import { HistoryIndex } from './history-index.ts'
import { bytesKey, heightBytes, heightOfKey, rangeOf, readHeight, TABLE } from './keys.ts'
import { type BlockIds, bucketOf, type EventPlace, findIn, idAt, packSegment, placesIn } from './segment.ts'

/**
 * Events that are gathered before they are written as a segment: 2 MiB of ids in memory, about 64 places in each of a
 * segment's rows, and a look-up reads one such row a segment, all of them neighbours.
 */
const SEGMENT_EVENTS = 1 << 16

/** Below any bucket's rows lies none of these: one a segment, to tell which heights the segments cover. */
const MARKER = Uint8Array.of(0xff, 0xff)

/**
 * Event id → height and index. One row an event would cost more than everything else that a block writes, for its keys
 * are random. So the newest events are found in memory, rebuilt at open from the rows of their ids, and each 65 536
 * are written as one segment: 1024 rows by the first bits of the id, in the batch of the block that completes it.
 * Rows hold 58 bits of an id; every place that matches is compared with the whole id, so collisions cost a read and
 * are never wrong.
 */
export class EventIndex {
  /** Of the blocks below `base`. */
  readonly history: HistoryIndex
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
    this.history = new HistoryIndex(
      (batch, blocks, range) => putSegment(batch, blocks, range.to, range.from),
      segmentEvents
    )
  }

  /**
   * Reads what no segment holds yet.
   * @param base where the blocks begin that are added in ascending order; 1 but for a node that fills in its history
   * @param held heights below it whose blocks are there
   */
  async load(base = 1, held?: HeightRanges): Promise<void> {
    const segments = await this.segments(base)
    const sealed = segments.at(-1)?.to ?? 0
    for await (const row of this.#rows.idsFrom(Math.max(base, sealed + 1))) this.#add(row.height, row.ids)
    if (held !== undefined) await this.history.load(this.#rows, held, segments)
  }

  /** Adds a block's events; the batch gets a segment when there are enough. Call `written` when it is on disk. */
  add(batch: WriteBatch, height: number, ids: Uint8Array): void {
    this.#add(height, ids)
    if (this.#youngEvents < this.#segmentEvents) return
    const segment = this.#young
    putSegment(batch, segment, height)
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
    for (const blocks of [this.#young, ...this.#sealing, ...this.history.young()]) {
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

  /**
   * The heights that each segment covers, ascending. One of blocks that were added in ascending order begins where the
   * one below ends, but not below `base`; one of filled-in history says where it begins.
   */
  async segments(base = 1): Promise<HeightRange[]> {
    const segments: HeightRange[] = []
    for await (const [key, first] of this.#database.rows(rangeOf(TABLE.SEGMENT, MARKER))) {
      const from = first.byteLength > 0 ? readHeight(first) : Math.max(base, (segments.at(-1)?.to ?? 0) + 1)
      segments.push({ from, to: heightOfKey(key) })
    }
    return segments
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

/** @param first the lowest height that is covered; undefined: the segment goes down to the one below it */
function putSegment(batch: WriteBatch, blocks: readonly BlockIds[], last: number, first?: number): void {
  for (const [bucket, row] of packSegment(blocks)) batch.put(segmentKey(bucket, last), row)
  const from = first === undefined ? new Uint8Array(0) : heightBytes(first)
  batch.put(bytesKey(TABLE.SEGMENT, MARKER, heightBytes(last)), from)
}

function segmentKey(bucket: number, lastHeight: number): Uint8Array {
  return bytesKey(TABLE.SEGMENT, bucketBytes(bucket), heightBytes(lastHeight))
}

function bucketBytes(bucket: number): Uint8Array {
  return Uint8Array.of(bucket >>> 8, bucket & 0xff)
}
