import { HASH_BYTES } from '../chain/merkle.ts'
import type { WriteBatch } from './batch.ts'
import type { EventRows } from './event-rows.ts'
import type { HeightRange, HeightRanges } from './height-ranges.ts'
import type { BlockIds } from './segment.ts'

/** Heights that follow one another and are in no segment. */
interface Run {
  from: number
  to: number
  /** Those with events, ascending. */
  blocks: BlockIds[]
  events: number
}

/**
 * Pieces of history come in any order, and a run becomes a segment when it is full; gaps between pieces that nobody has
 * would leave many part-full runs in memory. So above this many segments' worth the fullest run becomes a segment as it is.
 */
const MAX_YOUNG_SEGMENTS = 4

export type PutSegment = (batch: WriteBatch, blocks: readonly BlockIds[], range: HeightRange) => void

/**
 * The part of the event index that is about history which is filled in below a checkpoint. As with new blocks, ids are
 * in memory until there are enough for a segment, which is written in the batch of the blocks that complete it. Segments
 * cover heights that follow one another, in the order of the chain, whatever the order in which they came.
 */
export class HistoryIndex {
  readonly #putSegment: PutSegment
  readonly #segmentEvents: number
  /** Ascending, none touching the next. */
  #runs: Run[] = []
  /** Segments whose batch is not on disk yet. */
  #sealing: BlockIds[][] = []

  constructor(putSegment: PutSegment, segmentEvents: number) {
    this.#putSegment = putSegment
    this.#segmentEvents = segmentEvents
  }

  /** Reads what of the held heights no segment covers. */
  async load(rows: EventRows, held: HeightRanges, segments: readonly HeightRange[]): Promise<void> {
    for (const { from, to } of held.ranges) {
      const covered = segments.filter((segment) => segment.to >= from && segment.from <= to)
      let at = from
      for (const segment of [...covered, { from: to + 1, to }]) {
        if (segment.from > at) await this.#loadRun(rows, at, segment.from - 1)
        at = segment.to + 1
      }
    }
  }

  async #loadRun(rows: EventRows, from: number, to: number): Promise<void> {
    const blocks: BlockIds[] = []
    for await (const { height, ids } of rows.idsFrom(from, to)) blocks.push({ height, ids: ids.slice() })
    this.#insert(from, to, blocks)
  }

  /** Ids in memory, for whoever looks for one. */
  young(): readonly (readonly BlockIds[])[] {
    return [...this.#runs.map(({ blocks }) => blocks), ...this.#sealing]
  }

  /** Adds heights that follow one another; the batch gets segments when there are enough. Call `written` when it is on disk. */
  add(batch: WriteBatch, blocks: readonly BlockIds[]): void {
    const first = blocks[0]
    const last = blocks.at(-1)
    if (first === undefined || last === undefined) return
    // Copies: a block's ids are a view of a whole download.
    const withEvents = blocks.filter(({ ids }) => ids.byteLength > 0)
    const kept = withEvents.map(({ height, ids }) => ({ height, ids: ids.slice() }))
    const run = this.#insert(first.height, last.height, kept)
    if (run.events >= this.#segmentEvents) this.#seal(batch, run)
    while (this.#events > MAX_YOUNG_SEGMENTS * this.#segmentEvents) {
      this.#seal(
        batch,
        this.#runs.reduce((most, one) => (one.events > most.events ? one : most))
      )
    }
  }

  /** Nothing more will come: what is in memory becomes segments. */
  finish(batch: WriteBatch): void {
    for (const run of [...this.#runs]) this.#seal(batch, run)
  }

  written(): void {
    this.#sealing = []
  }

  get #events(): number {
    return this.#runs.reduce((sum, { events }) => sum + events, 0)
  }

  /** Puts heights in their place and joins them with the runs that they touch. */
  #insert(from: number, to: number, blocks: BlockIds[]): Run {
    const below = this.#runs.find((run) => run.to === from - 1)
    const above = this.#runs.find((run) => run.from === to + 1)
    const run: Run = {
      from: below?.from ?? from,
      to: above?.to ?? to,
      blocks: [...(below?.blocks ?? []), ...blocks, ...(above?.blocks ?? [])],
      events: (below?.events ?? 0) + (above?.events ?? 0)
    }
    for (const { ids } of blocks) run.events += ids.byteLength / HASH_BYTES
    this.#runs = [...this.#runs.filter((one) => one !== below && one !== above), run].sort((a, b) => a.from - b.from)
    return run
  }

  #seal(batch: WriteBatch, run: Run): void {
    this.#runs = this.#runs.filter((one) => one !== run)
    if (run.events === 0) return
    this.#putSegment(batch, run.blocks, run)
    this.#sealing.push(run.blocks)
  }
}
