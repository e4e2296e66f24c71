import { IdLog } from './id-log.ts'
import { IdTable } from './id-table.ts'
import { HASH_BYTES } from './merkle.ts'

/**
 * Which events were finalized lately: what the uniqueness rule of protocol §3 needs, exactly.
 *
 * The rule: a block with timestamp t may hold an event with timestamp e only if |t − e| ≤ W and its id is in no
 * ancestor whose timestamp is ≥ e − W.
 *
 * Why 2W of history are enough: a block after the tip has t > tip, so its events have e ≥ t − W > tip − W, and the
 * ancestors that the rule names have timestamps ≥ e − W > tip − 2W. Why `has` needs no timestamp: an id fixes its e, and
 * an ancestor that holds it has a timestamp within W of e, so it is one that the rule names. Remembering more than 2W
 * would therefore change no answer.
 *
 * Blocks come in order of time, so the ids lie in a log in that order and `prune` takes them from its front: it costs
 * as much as adding them did, whatever else is held. About 41 bytes an event: a million are 41 MB.
 */
export class EventWindow {
  readonly #span: number
  readonly #log = new IdLog()
  readonly #table = new IdTable(this.#log)
  /** Blocks with events whose ids are in the log, the oldest first. */
  readonly #blocks: { readonly timestamp: number; count: number }[] = []
  #newest = Number.NEGATIVE_INFINITY

  /** @param windowMs W, the genesis's `event_window_ms` */
  constructor(windowMs: number) {
    this.#span = 2 * windowMs
  }

  /** How many different ids there are. */
  get size(): number {
    return this.#table.size
  }

  /** Bytes allocated for them. */
  get bytes(): number {
    return this.#log.bytes + this.#table.bytes
  }

  /**
   * Remembers the events of a finalized block. An id that is here already counts as of this block: range sync takes
   * what a quorum signed, even where it repeats an event.
   * @param timestamp of the block, in Unix ms, and no lower than that of the block before
   * @param eventIds 32·n bytes
   * @throws RangeError for a block out of order or a list that is none: the caller's fault
   */
  add(timestamp: number, eventIds: Uint8Array): void {
    if (!(timestamp >= this.#newest)) throw new RangeError(`block of ${timestamp} added after one of ${this.#newest}`)
    if (eventIds.byteLength % HASH_BYTES !== 0) throw new RangeError(`${eventIds.byteLength} bytes are no list of ids`)
    this.#newest = timestamp
    if (eventIds.byteLength === 0) return
    for (let at = 0; at < eventIds.byteLength; at += HASH_BYTES) {
      loadId(eventIds, at)
      this.#table.put(id, this.#log.push(id))
    }
    this.#blocks.push({ timestamp, count: eventIds.byteLength / HASH_BYTES })
  }

  /** Whether an event with this id (32 bytes) was in a block that is still remembered. */
  has(eventId: Uint8Array): boolean {
    loadId(eventId, 0)
    return this.#table.has(id)
  }

  /** Forgets the blocks with timestamps below tipTimestamp − 2W. */
  prune(tipTimestamp: number): void {
    const oldest = tipTimestamp - this.#span
    let gone = 0
    for (let block = this.#blocks[0]; block !== undefined && block.timestamp < oldest; block = this.#blocks[gone]) {
      for (let i = 0; i < block.count; i++) {
        const place = this.#log.shift(id)
        this.#table.remove(id, place)
      }
      gone++
    }
    this.#blocks.splice(0, gone)
  }
}

/** The id that is looked at, as words. Reused: nothing yields between loading and using it. */
const id = new Uint32Array(HASH_BYTES / 4)
const idBytes = new Uint8Array(id.buffer)

function loadId(bytes: Uint8Array, at: number): void {
  for (let i = 0; i < HASH_BYTES; i++) idBytes[i] = bytes[at + i] as number
}
