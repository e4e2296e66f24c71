/** Which of the events that wait get into a block. */
import type { CheckedEvent } from './event.ts'
import type { Part } from './mempool-part.ts'
import type { SourceQueues, Waiting } from './mempool-queues.ts'

export interface Room {
  readonly maxEvents: number
  /** For the events as they are in a Block, with tags and lengths. */
  readonly maxBytes: number
}

export interface Eligibility {
  /** Of the block to be proposed, in Unix ms. */
  readonly timestamp: number
  /** The genesis's `event_window_ms`. */
  readonly windowMs: number
  /** Events to leave out, e.g. for an ancestor has them. */
  readonly skip?: ((id: Uint8Array) => boolean) | undefined
}

/** actor and signature with their tags and lengths: no encoded event is shorter, so less room than this is none. */
const LEAST_EVENT_BYTES = 100

/** The events of a block as they are chosen. */
class Chosen {
  readonly events: CheckedEvent[] = []
  readonly #room: Room
  #bytes = 0

  constructor(room: Room) {
    this.#room = room
  }

  get bytes(): number {
    return this.#bytes
  }

  get isFull(): boolean {
    return this.events.length >= this.#room.maxEvents || this.#bytes + LEAST_EVENT_BYTES > this.#room.maxBytes
  }

  /** @returns false if there is no room for it */
  add(event: CheckedEvent): boolean {
    const size = sizeInBlock(event)
    if (this.#bytes + size > this.#room.maxBytes) return false
    this.events.push(event)
    this.#bytes += size
    return true
  }
}

/**
 * The turns of one source: one event of each actor, its first that is eligible, then a second of each. An actor whose next
 * event is too large for the room that is left is passed over: its later ones may not overtake it.
 */
class SourceTurns {
  #turns: (Waiting | undefined)[]
  #next: Waiting[] = []
  #at = 0

  constructor(queues: SourceQueues) {
    this.#turns = [...queues.firsts()]
  }

  /** @returns whether there was one more */
  take(chosen: Chosen, eligibility: Eligibility): boolean {
    for (;;) {
      if (this.#at === this.#turns.length) {
        if (this.#next.length === 0) return false
        this.#turns = this.#next
        this.#next = []
        this.#at = 0
      }
      const waiting = firstEligible(this.#turns[this.#at++], eligibility)
      if (waiting === undefined || !chosen.add(waiting.event)) continue
      if (waiting.after !== undefined) this.#next.push(waiting.after)
      return true
    }
  }
}

/** The turns of a part: one event of each source, then a second of each. */
class PartTurns {
  readonly #eligibility: Eligibility
  #turns: SourceTurns[]

  constructor(part: Part, eligibility: Eligibility) {
    this.#eligibility = eligibility
    this.#turns = [...part.inTurn()].map((queues) => new SourceTurns(queues))
  }

  /** Until the part has taken as much of the block; the last event may go beyond. */
  fill(chosen: Chosen, share: Room): void {
    const [events, bytes] = [chosen.events.length, chosen.bytes]
    while (this.#turns.length > 0) {
      const left: SourceTurns[] = []
      for (const [index, turns] of this.#turns.entries()) {
        const taken = chosen.events.length - events >= share.maxEvents || chosen.bytes - bytes >= share.maxBytes
        if (taken || chosen.isFull) {
          // Who has not had its turn has the next one.
          this.#turns = [...this.#turns.slice(index), ...left]
          return
        }
        if (turns.take(chosen, this.#eligibility)) left.push(turns)
      }
      this.#turns = left
    }
  }
}

export interface Parts {
  readonly own: Part
  readonly vouched: Part
  readonly unvouched: Part
}

/**
 * Half of the block is for what this node's own API accepted, which nobody else need have; what nobody vouches for has its
 * share and never more; all else is for what validators vouch for. What one of the first two leaves the other may have.
 */
export function selectEvents(parts: Parts, room: Room, unvouched: Room, eligibility: Eligibility): CheckedEvent[] {
  const chosen = new Chosen(room)
  const [own, vouched, strangers] = [parts.own, parts.vouched, parts.unvouched].map(
    (part) => new PartTurns(part, eligibility)
  ) as [PartTurns, PartTurns, PartTurns]
  const half = { maxEvents: Math.ceil(room.maxEvents / 2), maxBytes: Math.ceil(room.maxBytes / 2) }
  const theirs = {
    maxEvents: Math.min(half.maxEvents, unvouched.maxEvents),
    maxBytes: Math.min(half.maxBytes, unvouched.maxBytes)
  }
  own.fill(chosen, half)
  vouched.fill(chosen, less(less(room, half), theirs))
  strangers.fill(chosen, theirs)
  own.fill(chosen, room)
  vouched.fill(chosen, room)
  return chosen.events
}

function less(room: Room, taken: Room): Room {
  return { maxEvents: room.maxEvents - taken.maxEvents, maxBytes: room.maxBytes - taken.maxBytes }
}

function firstEligible(from: Waiting | undefined, eligibility: Eligibility): Waiting | undefined {
  let waiting = from
  while (waiting !== undefined && !isEligible(waiting.event, eligibility)) waiting = waiting.after
  return waiting
}

export function isEligible(event: CheckedEvent, { timestamp, windowMs, skip }: Eligibility): boolean {
  return Math.abs(timestamp - event.timestamp) <= windowMs && skip?.(event.id) !== true
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
