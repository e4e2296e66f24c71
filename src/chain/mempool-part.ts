import { type SourceKind, SourceQueues, type Waiting } from './mempool-queues.ts'

/**
 * A part of the mempool's room, and the sources that share it, in the order in which they have their turn. What a source
 * may hold depends on nobody outside of its part.
 *
 * While there is room a source may hold all of it. In a full part one that has less takes from the one that has most: that
 * one's newest events make way, as long as the taker ends up with no more than is left to the other. So each of n sources
 * gets an n-th, however many were there first and whatever they try; and it comes to an end, since each time the part is
 * shared more evenly.
 */
export class Part {
  readonly #kind: SourceKind
  /** In the unit of costs. */
  readonly #room: number
  readonly #sources = new Map<string, SourceQueues>()
  #used = 0

  constructor(kind: SourceKind, room: number) {
    this.#kind = kind
    this.#room = room
  }

  /** The one whose turn it is first. */
  inTurn(): Iterable<SourceQueues> {
    return this.#sources.values()
  }

  costOf(source: string): number {
    return this.#sources.get(source)?.cost ?? 0
  }

  /** The first event is let in, however large it is: with a small part it would never be final. */
  hasRoom(cost: number): boolean {
    return this.#used === 0 || this.#used + cost <= this.#room
  }

  /** What would have to make way for an event of this source; undefined: it has its share, or the others have no more. */
  displacedBy(source: string, cost: number): Waiting[] | undefined {
    let longest: SourceQueues | undefined
    for (const queues of this.#sources.values()) if (queues.cost > (longest?.cost ?? 0)) longest = queues
    if (longest === undefined || longest.name === source) return undefined
    const displaced: Waiting[] = []
    let freed = 0
    for (let waiting = longest.newest; this.#used - freed + cost > this.#room; waiting = waiting.older) {
      if (waiting === undefined) return undefined
      displaced.push(waiting)
      freed += waiting.cost
    }
    return this.costOf(source) + cost <= longest.cost - freed ? displaced : undefined
  }

  queuesOf(source: string): SourceQueues {
    let queues = this.#sources.get(source)
    if (queues === undefined) {
      queues = new SourceQueues(this.#kind, source)
      this.#sources.set(source, queues)
    }
    return queues
  }

  added({ cost }: Waiting): void {
    this.#used += cost
  }

  remove(waiting: Waiting): void {
    const { source } = waiting.queue
    source.remove(waiting)
    this.#used -= waiting.cost
    if (source.newest === undefined) this.#sources.delete(source.name)
  }

  /** Source and actor had their turn. */
  toBack({ actor, queue: { source } }: Waiting): void {
    source.toBack(actor)
    if (this.#sources.delete(source.name)) this.#sources.set(source.name, source)
  }
}
