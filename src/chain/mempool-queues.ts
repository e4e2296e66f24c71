import type { CheckedEvent } from './event.ts'

/** An event that waits, in the queue of its actor. */
export interface Waiting {
  readonly event: CheckedEvent
  readonly queue: ActorQueue
  /** Whose quota it is on; undefined for events that came back, which are on nobody's. */
  readonly source: string | undefined
  before: Waiting | undefined
  after: Waiting | undefined
}

/** One actor's events, first in, first out. */
export interface ActorQueue {
  readonly actor: string
  first: Waiting | undefined
  last: Waiting | undefined
  events: number
  bytes: number
}

/**
 * Queues by actor, in the order in which actors have their turn: an actor that had one goes to the back. So with more
 * actors than a block has room for, each still gets one event in before any gets a second.
 */
export class ActorQueues {
  readonly #queues = new Map<string, ActorQueue>()

  /** Queues that are not empty, the one whose turn it is first. */
  inTurn(): Iterable<ActorQueue> {
    return this.#queues.values()
  }

  get(actor: string): ActorQueue | undefined {
    return this.#queues.get(actor)
  }

  /** After the actor's other events. */
  push(actor: string, event: CheckedEvent, source: string | undefined): Waiting {
    const queue = this.#queueOf(actor)
    return link({ event, queue, source, before: queue.last, after: undefined })
  }

  /** After one event of the actor, or before all if that is undefined. */
  pushAfter(before: Waiting | undefined, actor: string, event: CheckedEvent): Waiting {
    const queue = this.#queueOf(actor)
    const after = before === undefined ? queue.first : before.after
    return link({ event, queue, source: undefined, before, after })
  }

  remove(waiting: Waiting): void {
    const { queue, before, after } = waiting
    if (before === undefined) queue.first = after
    else before.after = after
    if (after === undefined) queue.last = before
    else after.before = before
    queue.events--
    queue.bytes -= waiting.event.bytes.byteLength
    if (queue.events === 0) this.#queues.delete(queue.actor)
  }

  /** The actor had its turn. */
  toBack(queue: ActorQueue): void {
    if (this.#queues.delete(queue.actor)) this.#queues.set(queue.actor, queue)
  }

  #queueOf(actor: string): ActorQueue {
    let queue = this.#queues.get(actor)
    if (queue === undefined) {
      queue = { actor, first: undefined, last: undefined, events: 0, bytes: 0 }
      this.#queues.set(actor, queue)
    }
    return queue
  }
}

/** Puts an event between its neighbours. */
function link(waiting: Waiting): Waiting {
  const { queue, before, after } = waiting
  if (before === undefined) queue.first = waiting
  else before.after = waiting
  if (after === undefined) queue.last = waiting
  else after.before = waiting
  queue.events++
  queue.bytes += waiting.event.bytes.byteLength
  return waiting
}
