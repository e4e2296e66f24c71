import { toHex } from '../codec/bytes.ts'
import type { CheckedEvent } from './event.ts'
import { Part } from './mempool-part.ts'
import type { SourceKind, Waiting } from './mempool-queues.ts'
import { type Eligibility, isEligible, type Room, selectEvents } from './mempool-selection.ts'
import { HASH_BYTES } from './merkle.ts'

export { sizeInBlock } from './mempool-selection.ts'

/**
 * Who answers for an event here, and so whose share it is on:
 * - `own`: a caller of this node's API, which has acknowledged the event;
 * - `vouched`: the validator that says that its own API has (voucher.ts), whoever handed the event on;
 * - `unvouched`: the peer that handed it on. Peers' keys are free to make, so all of them together have a small part.
 */
export interface Source {
  readonly kind: SourceKind
  readonly name: string
}

export interface MempoolLimits {
  /** Events held; a flood of events. */
  readonly maxEvents: number
  /** Bytes of encoded events held; a flood of large events. Objects about them take some 500 bytes each besides. */
  readonly maxBytes: number
  /** Events of one actor; one loud actor must leave room for others. */
  readonly maxPerActor: number
  /** Events of one caller of the API; one loud program must leave room for others. */
  readonly maxPerCaller: number
  /** Of the room, for events that nobody vouches for: 0 … ½. */
  readonly unvouchedShare: number
  /** Of a block, for the same. */
  readonly unvouchedInBlock: Room
}

/**
 * - `added`: there was room.
 * - `displacing`: the newest of a source that has more made way for it.
 * - `raised`: it waited already, and who answers for it now is closer.
 * - `known`: it waits on a share that is as good.
 * - `source-full`, `actor-full` concern this source or actor only; `full` all of the kind.
 */
export type AddResult = 'added' | 'displacing' | 'raised' | 'known' | 'full' | 'actor-full' | 'source-full'

export type SelectOptions = Room & Eligibility

/** Of the room, for what the node's own API accepts. */
const OWN_SHARE = 1 / 2
const CLOSENESS = { own: 2, vouched: 1, unvouched: 0 } as const
/** Events of blocks that did not become final: validators have put them there. */
const DROPPED: Source = { kind: 'vouched', name: 'dropped blocks' }
const RESTORED: Source = { kind: 'own', name: 'before the restart' }

/**
 * Events that wait for a block: first in, first out for each actor of a source, round-robin over actors, and over sources
 * before that. No clock and no randomness: the same calls give the same blocks.
 *
 * An event stays until it is removed (it was finalized), expires (its window has passed), or makes way for one of a source
 * that has less; being proposed does not take it out, so nothing is lost with a proposal that fails. What this node has
 * acknowledged makes way for nothing, and no peer can take any of its room: each kind of source has its own part. Each
 * part is let have one event more than fits, so that the largest event can be final whatever the parts are. Signatures are
 * the caller's to check, and that an event is not far ahead of the clock: such a one would neither be selected nor expire.
 */
export class Mempool {
  readonly #limits: MempoolLimits
  /** What each event costs at least, in bytes: so that costs bound bytes and numbers alike. */
  readonly #leastCost: number
  /** By id, in order of arrival. */
  readonly #waiting = new Map<string, Waiting>()
  readonly #parts: Readonly<Record<SourceKind, Part>>
  readonly #actorCosts = new Map<string, number>()
  #bytes = 0
  /** No event here has a lower timestamp; there may be none with this one. */
  #oldest = Number.POSITIVE_INFINITY

  constructor(limits: MempoolLimits) {
    const { maxBytes, maxEvents, unvouchedShare } = limits
    this.#limits = limits
    this.#leastCost = Math.ceil(maxBytes / maxEvents)
    this.#parts = {
      own: new Part('own', maxBytes * OWN_SHARE),
      vouched: new Part('vouched', maxBytes * (1 - OWN_SHARE - unvouchedShare)),
      unvouched: new Part('unvouched', maxBytes * unvouchedShare)
    }
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

  /** Whether a small event of this source would be taken: if not, its signature need not be checked. */
  hasRoom({ kind, name }: Source): boolean {
    const part = this.#parts[kind]
    const cost = this.#leastCost
    if (kind === 'own') return part.hasRoom(cost) && this.#hasCallerShare(name, cost)
    return part.hasRoom(cost) || part.displacedBy(name, cost) !== undefined
  }

  /** Adds an event after its actor's others of this source. */
  add(event: CheckedEvent, { kind, name }: Source): AddResult {
    const id = toHex(event.id)
    const known = this.#waiting.get(id)
    if (known !== undefined && CLOSENESS[kind] <= CLOSENESS[kindOf(known)]) return 'known'
    const actor = toHex(event.actor)
    const cost = this.#costOf(event)
    const part = this.#parts[kind]
    if (kind === 'own' && !this.#hasCallerShare(name, cost)) return 'source-full'
    if (known === undefined && !this.#hasActorShare(actor, cost)) return 'actor-full'
    const displaced = part.hasRoom(cost) || kind === 'own' ? [] : part.displacedBy(name, cost)
    if (displaced === undefined || (kind === 'own' && !part.hasRoom(cost))) return 'full'
    for (const waiting of displaced) this.#drop(waiting)
    if (known !== undefined) this.#drop(known)
    this.#hold(part, part.queuesOf(name).push({ id, event, actor, cost }))
    if (known !== undefined) return 'raised'
    return displaced.length > 0 ? 'displacing' : 'added'
  }

  /**
   * Puts back events that were in a valid proposal, after fork resolution. They go, in the given order, before their
   * actors' others, on a share of their own beside those of the validators.
   * @returns those that were added: known ones and ones for which there is no room are not
   */
  readd(events: Iterable<CheckedEvent>): CheckedEvent[] {
    return this.#putBack(events, DROPPED)
  }

  /** Puts back events that this node had acknowledged before a restart; otherwise as `readd`. They are no caller's now. */
  restore(events: Iterable<CheckedEvent>): CheckedEvent[] {
    return this.#putBack(events, RESTORED)
  }

  /** The events of the next block. */
  select(options: SelectOptions): CheckedEvent[] {
    return selectEvents(this.#parts, options, this.#limits.unvouchedInBlock, options)
  }

  /** Whether `select` would find an event with room for it: what a proposer that need not hurry waits for. */
  hasSelectable(options: Eligibility): boolean {
    for (const { event } of this.#waiting.values()) if (isEligible(event, options)) return true
    return false
  }

  /**
   * Takes events out, e.g. those of a finalized block; unknown ids are ignored. Their actors and sources have had a turn.
   * @param ids one by one, or flat (32·n bytes)
   * @returns how many were here
   */
  remove(ids: Iterable<Uint8Array> | Uint8Array): number {
    let removed = 0
    // A node that syncs has none, and would make a string of every event's id.
    if (this.#waiting.size === 0) return removed
    for (const id of ids instanceof Uint8Array ? hashesOf(ids) : ids) {
      const waiting = this.#waiting.get(toHex(id))
      if (waiting === undefined) continue
      const part = this.#parts[kindOf(waiting)]
      this.#drop(waiting)
      part.toBack(waiting)
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
    for (const waiting of this.#waiting.values()) {
      const { event } = waiting
      if (event.timestamp < oldest) {
        this.#drop(waiting)
        expired.push(event)
      } else {
        this.#oldest = Math.min(this.#oldest, event.timestamp)
      }
    }
    return expired
  }

  #putBack(events: Iterable<CheckedEvent>, { kind, name }: Source): CheckedEvent[] {
    const part = this.#parts[kind]
    const added: CheckedEvent[] = []
    const last = new Map<string, Waiting>()
    for (const event of events) {
      const id = toHex(event.id)
      const actor = toHex(event.actor)
      const cost = this.#costOf(event)
      if (this.#waiting.has(id) || !part.hasRoom(cost) || !this.#hasActorShare(actor, cost)) continue
      const waiting = part.queuesOf(name).pushAfter(last.get(actor), { id, event, actor, cost })
      last.set(actor, waiting)
      this.#hold(part, waiting)
      added.push(event)
    }
    return added
  }

  #hold(part: Part, waiting: Waiting): void {
    const { id, event, actor, cost } = waiting
    this.#waiting.set(id, waiting)
    part.added(waiting)
    this.#actorCosts.set(actor, this.#actorCost(actor) + cost)
    this.#bytes += event.bytes.byteLength
    this.#oldest = Math.min(this.#oldest, event.timestamp)
  }

  #drop(waiting: Waiting): void {
    const { id, event, actor, cost } = waiting
    this.#waiting.delete(id)
    this.#parts[kindOf(waiting)].remove(waiting)
    const left = this.#actorCost(actor) - cost
    if (left > 0) this.#actorCosts.set(actor, left)
    else this.#actorCosts.delete(actor)
    this.#bytes -= event.bytes.byteLength
  }

  #costOf(event: CheckedEvent): number {
    return Math.max(this.#leastCost, event.bytes.byteLength)
  }

  #actorCost(actor: string): number {
    return this.#actorCosts.get(actor) ?? 0
  }

  #hasActorShare(actor: string, cost: number): boolean {
    return this.#isWithin(this.#actorCost(actor), cost, this.#limits.maxPerActor)
  }

  #hasCallerShare(caller: string, cost: number): boolean {
    return this.#isWithin(this.#parts.own.costOf(caller), cost, this.#limits.maxPerCaller)
  }

  /** A bound in events is the same share in bytes, or few large events would crowd out others; but for a first event. */
  #isWithin(held: number, cost: number, maxEvents: number): boolean {
    return held === 0 ? maxEvents > 0 : held + cost <= maxEvents * this.#leastCost
  }
}

function kindOf({ queue }: Waiting): SourceKind {
  return queue.source.kind
}

function* hashesOf(flat: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < flat.byteLength; at += HASH_BYTES) yield flat.subarray(at, at + HASH_BYTES)
}
