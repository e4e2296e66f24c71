import { toHex } from '../codec/bytes.ts'
import type { CheckedEvent } from './event.ts'
import { ActorQueues, type Waiting } from './mempool-queues.ts'
import { HASH_BYTES } from './merkle.ts'

/**
 * Events that wait for a block (protocol §8): first in, first out for each actor, round-robin over actors. No clock and
 * no randomness: the same calls give the same blocks.
 *
 * An event stays until it is removed (it was finalized) or expires (its window has passed); being proposed does not
 * take it out, so nothing is lost with a proposal that fails. Nothing is evicted for a newcomer: an event that was
 * acknowledged stays. Signatures are the caller's to check, and that an event is not far ahead of the clock: such
 * a one would neither be selected nor expire.
 */
export interface MempoolLimits {
  /** Events held; a flood of events. */
  readonly maxEvents: number
  /** Bytes of encoded events held; a flood of large events. Objects about them take some 500 bytes each besides. */
  readonly maxBytes: number
  /** Events of one actor; one loud actor must leave room for others. */
  readonly maxPerActor: number
  /** Events that came by one peer or API caller; actor keys are free to make, connections less so. */
  readonly maxPerSource: number
}

/** `source-full` and `actor-full` concern this source or actor only; `full` everybody. */
export type AddResult = 'added' | 'known' | 'full' | 'actor-full' | 'source-full'

export interface SelectOptions {
  readonly maxEvents: number
  /** For the events as they are in a Block, with tags and lengths. */
  readonly maxBytes: number
  /** Of the block to be proposed, in Unix ms. */
  readonly timestamp: number
  /** The genesis's `event_window_ms`. */
  readonly windowMs: number
  /** Events to leave out, e.g. for an ancestor has them. */
  readonly skip?: ((id: Uint8Array) => boolean) | undefined
}

/** actor and signature with their tags and lengths: no encoded event is shorter, so less room than this is none. */
const LEAST_EVENT_BYTES = 100

interface Tally {
  events: number
  bytes: number
}

export class Mempool {
  readonly #limits: MempoolLimits
  /** By id, in order of arrival. */
  readonly #waiting = new Map<string, Waiting>()
  readonly #queues = new ActorQueues()
  /** What each source has here; gone with its last event. */
  readonly #sources = new Map<string, Tally>()
  #bytes = 0
  /** No event here has a lower timestamp; there may be none with this one. */
  #oldest = Number.POSITIVE_INFINITY

  constructor(limits: MempoolLimits) {
    this.#limits = limits
  }

  has(id: Uint8Array): boolean {
    return this.#waiting.has(toHex(id))
  }

  get(id: Uint8Array): CheckedEvent | undefined {
    return this.#waiting.get(toHex(id))?.event
  }

  stats(): { events: number; bytes: number } {
    return { events: this.#waiting.size, bytes: this.#bytes }
  }

  /** All events, in order of arrival. */
  *events(): Generator<CheckedEvent> {
    for (const { event } of this.#waiting.values()) yield event
  }

  /**
   * Adds an event after its actor's others.
   * @param source the peer or API caller it came by, e.g. a peer id or `api:127.0.0.1`
   */
  add(event: CheckedEvent, { source }: { readonly source: string }): AddResult {
    const id = toHex(event.id)
    if (this.#waiting.has(id)) return 'known'
    const actor = toHex(event.actor)
    const { maxPerSource, maxPerActor } = this.#limits
    if (!this.#hasShare(this.#sources.get(source), maxPerSource, event)) return 'source-full'
    if (!this.#hasShare(this.#queues.get(actor), maxPerActor, event)) return 'actor-full'
    if (!this.#hasRoom(event)) return 'full'
    const tally = this.#sources.get(source) ?? { events: 0, bytes: 0 }
    tally.events++
    tally.bytes += event.bytes.byteLength
    this.#sources.set(source, tally)
    this.#hold(id, this.#queues.push(actor, event, source))
    return 'added'
  }

  /**
   * Puts back events that were here or in a valid proposal: after fork resolution, or after a restart. They go, in the
   * given order, before their actors' others, and are on no source's quota.
   * @returns those that were added: known ones and ones beyond the other limits are not
   */
  readd(events: Iterable<CheckedEvent>): CheckedEvent[] {
    const added: CheckedEvent[] = []
    const last = new Map<string, Waiting>()
    for (const event of events) {
      const id = toHex(event.id)
      const actor = toHex(event.actor)
      if (this.#waiting.has(id) || !this.#hasRoom(event)) continue
      if (!this.#hasShare(this.#queues.get(actor), this.#limits.maxPerActor, event)) continue
      const waiting = this.#queues.pushAfter(last.get(actor), actor, event)
      last.set(actor, waiting)
      this.#hold(id, waiting)
      added.push(event)
    }
    return added
  }

  /**
   * The events of the next block: in turns, one of each actor, its first that fits the window and is not skipped. An
   * actor whose next event is too large for the room that is left is passed over: its later ones may not overtake it.
   */
  select(options: SelectOptions): CheckedEvent[] {
    const chosen: CheckedEvent[] = []
    let room = options.maxBytes
    let turns: Iterable<Waiting | undefined> = firsts(this.#queues)
    for (;;) {
      const next: Waiting[] = []
      for (const from of turns) {
        if (chosen.length >= options.maxEvents || room < LEAST_EVENT_BYTES) return chosen
        const waiting = firstEligible(from, options)
        if (waiting === undefined) continue
        const size = sizeInBlock(waiting.event)
        if (size > room) continue
        chosen.push(waiting.event)
        room -= size
        if (waiting.after !== undefined) next.push(waiting.after)
      }
      if (next.length === 0) return chosen
      turns = next
    }
  }

  /** Whether `select` would find an event with room for it: what a proposer that need not hurry waits for. */
  hasSelectable(options: Pick<SelectOptions, 'timestamp' | 'windowMs' | 'skip'>): boolean {
    for (const { event } of this.#waiting.values()) if (isEligible(event, options)) return true
    return false
  }

  /**
   * Takes events out, e.g. those of a finalized block; unknown ids are ignored. Their actors have had a turn.
   * @param ids one by one, or flat (32·n bytes)
   * @returns how many were here
   */
  remove(ids: Iterable<Uint8Array> | Uint8Array): number {
    let removed = 0
    // A node that syncs has none, and would make a string of every event's id.
    if (this.#waiting.size === 0) return removed
    for (const id of ids instanceof Uint8Array ? hashesOf(ids) : ids) {
      const hex = toHex(id)
      const waiting = this.#waiting.get(hex)
      if (waiting === undefined) continue
      this.#drop(hex, waiting)
      this.#queues.toBack(waiting.queue)
      removed++
    }
    return removed
  }

  /**
   * Takes out the events that no block at or after `timestamp` may hold any more: those older than
   * timestamp − windowMs. They are returned in order of arrival, to be kept as expired.
   */
  expire(timestamp: number, windowMs: number): CheckedEvent[] {
    const expired: CheckedEvent[] = []
    const oldest = timestamp - windowMs
    if (this.#oldest >= oldest) return expired
    this.#oldest = Number.POSITIVE_INFINITY
    for (const [id, waiting] of this.#waiting) {
      const { event } = waiting
      if (event.timestamp < oldest) {
        this.#drop(id, waiting)
        expired.push(event)
      } else {
        this.#oldest = Math.min(this.#oldest, event.timestamp)
      }
    }
    return expired
  }

  #hold(id: string, waiting: Waiting): void {
    this.#waiting.set(id, waiting)
    this.#bytes += waiting.event.bytes.byteLength
    this.#oldest = Math.min(this.#oldest, waiting.event.timestamp)
  }

  #drop(id: string, waiting: Waiting): void {
    const { event, source } = waiting
    this.#waiting.delete(id)
    this.#queues.remove(waiting)
    this.#bytes -= event.bytes.byteLength
    const tally = source === undefined ? undefined : this.#sources.get(source)
    if (source === undefined || tally === undefined) return
    tally.events--
    tally.bytes -= event.bytes.byteLength
    if (tally.events === 0) this.#sources.delete(source)
  }

  #hasRoom(event: CheckedEvent): boolean {
    const { maxEvents, maxBytes } = this.#limits
    return this.#waiting.size < maxEvents && this.#bytes + event.bytes.byteLength <= maxBytes
  }

  /**
   * Whether who holds `tally` may hold this event too. A bound in events is the same share in bytes, or few large
   * events would crowd out others; the first event is let in whatever the share is.
   */
  #hasShare(tally: Tally | undefined, maxShare: number, event: CheckedEvent): boolean {
    const { maxEvents, maxBytes } = this.#limits
    if (tally === undefined || tally.events === 0) return maxShare > 0
    const shareBytes = maxBytes * Math.min(1, maxShare / maxEvents)
    return tally.events < maxShare && tally.bytes + event.bytes.byteLength <= shareBytes
  }
}

/** Bytes an event takes in a Block: tag, length, encoding. */
export function sizeInBlock(event: CheckedEvent): number {
  const length = event.bytes.byteLength
  let size = 1 + length
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    size++
    if (rest < 128) return size
  }
}

function* firsts(queues: ActorQueues): Generator<Waiting | undefined> {
  for (const { first } of queues.inTurn()) yield first
}

type Eligibility = Pick<SelectOptions, 'timestamp' | 'windowMs' | 'skip'>

function firstEligible(from: Waiting | undefined, options: Eligibility): Waiting | undefined {
  let waiting = from
  while (waiting !== undefined && !isEligible(waiting.event, options)) waiting = waiting.after
  return waiting
}

function isEligible(event: CheckedEvent, { timestamp, windowMs, skip }: Eligibility): boolean {
  return Math.abs(timestamp - event.timestamp) <= windowMs && skip?.(event.id) !== true
}

function* hashesOf(flat: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < flat.byteLength; at += HASH_BYTES) yield flat.subarray(at, at + HASH_BYTES)
}
