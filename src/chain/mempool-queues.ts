import type { CheckedEvent } from './event.ts'

export type SourceKind = 'own' | 'vouched' | 'unvouched'

/** An event that waits: in the queue of its actor, among those of one source. */
export interface Waiting {
  readonly id: string
  readonly event: CheckedEvent
  readonly actor: string
  /** What of a share it takes. */
  readonly cost: number
  readonly queue: ActorQueue
  before: Waiting | undefined
  after: Waiting | undefined
  /** By arrival at the source. */
  older: Waiting | undefined
  newer: Waiting | undefined
}

/** One actor's events from one source, first in, first out. */
interface ActorQueue {
  readonly source: SourceQueues
  first: Waiting | undefined
  last: Waiting | undefined
}

type Arrival = Pick<Waiting, 'id' | 'event' | 'actor' | 'cost'>

/**
 * What came by one source: queues by actor, in the order in which actors have their turn: an actor that had one goes to
 * the back. So with more actors than a block has room for, each still gets one event in before any gets a second.
 */
export class SourceQueues {
  readonly kind: SourceKind
  readonly name: string
  readonly #queues = new Map<string, ActorQueue>()
  #cost = 0
  #newest: Waiting | undefined

  constructor(kind: SourceKind, name: string) {
    this.kind = kind
    this.name = name
  }

  get cost(): number {
    return this.#cost
  }

  /** What came last. */
  get newest(): Waiting | undefined {
    return this.#newest
  }

  /** The first of each actor, of the one first whose turn it is. */
  *firsts(): Generator<Waiting> {
    for (const { first } of this.#queues.values()) if (first !== undefined) yield first
  }

  /** After the actor's other events. */
  push(arrival: Arrival): Waiting {
    const queue = this.#queueOf(arrival.actor)
    return this.#link(arrival, queue, queue.last, undefined)
  }

  /** After one event of the actor, or before all if that is undefined. */
  pushAfter(before: Waiting | undefined, arrival: Arrival): Waiting {
    const queue = this.#queueOf(arrival.actor)
    return this.#link(arrival, queue, before, before === undefined ? queue.first : before.after)
  }

  remove(waiting: Waiting): void {
    const { queue, before, after, older, newer } = waiting
    if (before === undefined) queue.first = after
    else before.after = after
    if (after === undefined) queue.last = before
    else after.before = before
    if (older !== undefined) older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    this.#cost -= waiting.cost
    if (queue.first === undefined) this.#queues.delete(waiting.actor)
  }

  /** The actor had its turn. */
  toBack(actor: string): void {
    const queue = this.#queues.get(actor)
    if (queue !== undefined && this.#queues.delete(actor)) this.#queues.set(actor, queue)
  }

  #link(arrival: Arrival, queue: ActorQueue, before: Waiting | undefined, after: Waiting | undefined): Waiting {
    const waiting: Waiting = { ...arrival, queue, before, after, older: this.#newest, newer: undefined }
    if (before === undefined) queue.first = waiting
    else before.after = waiting
    if (after === undefined) queue.last = waiting
    else after.before = waiting
    if (waiting.older !== undefined) waiting.older.newer = waiting
    this.#newest = waiting
    this.#cost += waiting.cost
    return waiting
  }

  #queueOf(actor: string): ActorQueue {
    let queue = this.#queues.get(actor)
    if (queue === undefined) {
      queue = { source: this, first: undefined, last: undefined }
      this.#queues.set(actor, queue)
    }
    return queue
  }
}
