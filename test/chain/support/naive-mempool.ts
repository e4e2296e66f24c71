/** The mempool's rules over one plain list, searched each time. The oracle of the linked one. */
import type { CheckedEvent } from '../../../src/chain/event.ts'
import { type AddResult, type MempoolLimits, type SelectOptions, sizeInBlock } from '../../../src/chain/mempool.ts'

interface Held {
  readonly event: CheckedEvent
  readonly source: string | undefined
}

export function actorOf(event: CheckedEvent): string {
  return Buffer.from(event.actor).toString('hex')
}

export function total(events: readonly CheckedEvent[]): number {
  return events.reduce((bytes, event) => bytes + event.bytes.byteLength, 0)
}

export class NaiveMempool {
  readonly limits: MempoolLimits
  /** In order of arrival. */
  held: Held[] = []
  /** Each actor's in order of its queue. */
  queues = new Map<string, CheckedEvent[]>()
  /** Whose turn it is, first to last. */
  turns: string[] = []

  constructor(limits: MempoolLimits) {
    this.limits = limits
  }

  get events(): CheckedEvent[] {
    return this.held.map(({ event }) => event)
  }

  of(source: string): CheckedEvent[] {
    return this.held.filter((one) => one.source === source).map(({ event }) => event)
  }

  queue(actor: string): CheckedEvent[] {
    return this.queues.get(actor) ?? []
  }

  add(event: CheckedEvent, source: string): AddResult {
    if (this.events.includes(event)) return 'known'
    if (this.#overShare(this.of(source), this.limits.maxPerSource, event)) return 'source-full'
    if (this.#overShare(this.queue(actorOf(event)), this.limits.maxPerActor, event)) return 'actor-full'
    if (this.#full(event)) return 'full'
    this.#insert(event, source, this.queue(actorOf(event)).length)
    return 'added'
  }

  readd(events: readonly CheckedEvent[]): CheckedEvent[] {
    const added: CheckedEvent[] = []
    for (const event of events) {
      const actor = actorOf(event)
      if (this.events.includes(event) || this.#full(event)) continue
      if (this.#overShare(this.queue(actor), this.limits.maxPerActor, event)) continue
      this.#insert(event, undefined, added.filter((other) => actorOf(other) === actor).length)
      added.push(event)
    }
    return added
  }

  remove(events: readonly CheckedEvent[]): number {
    let removed = 0
    for (const event of events) {
      if (!this.events.includes(event)) continue
      this.#take(event)
      removed++
      const actor = actorOf(event)
      if (this.turns.includes(actor)) this.turns = [...this.turns.filter((one) => one !== actor), actor]
    }
    return removed
  }

  expire(timestamp: number, windowMs: number): CheckedEvent[] {
    const expired = this.events.filter((event) => event.fields.timestamp < timestamp - windowMs)
    for (const event of expired) this.#take(event)
    return expired
  }

  select({ maxEvents, maxBytes, timestamp, windowMs, skip }: SelectOptions): CheckedEvent[] {
    const chosen: CheckedEvent[] = []
    let room = maxBytes
    const queues = this.turns.map((actor) =>
      this.queue(actor).filter((e) => Math.abs(timestamp - e.fields.timestamp) <= windowMs && !skip?.(e.id))
    )
    for (let round = 0; queues.some((queue) => queue.length > round); round++) {
      for (const queue of queues) {
        const event = queue[round]
        if (event === undefined || chosen.length >= maxEvents) continue
        if (sizeInBlock(event) > room) queue.length = 0
        else {
          chosen.push(event)
          room -= sizeInBlock(event)
        }
      }
    }
    return chosen
  }

  #full(event: CheckedEvent): boolean {
    const { maxEvents, maxBytes } = this.limits
    return this.held.length + 1 > maxEvents || total([...this.events, event]) > maxBytes
  }

  #overShare(own: readonly CheckedEvent[], max: number, event: CheckedEvent): boolean {
    const { maxEvents, maxBytes } = this.limits
    if (own.length === 0) return max === 0
    return own.length + 1 > max || total([...own, event]) > (maxBytes * Math.min(max, maxEvents)) / maxEvents
  }

  #insert(event: CheckedEvent, source: string | undefined, at: number): void {
    const actor = actorOf(event)
    this.held.push({ event, source })
    this.queues.set(actor, this.queue(actor).toSpliced(at, 0, event))
    if (!this.turns.includes(actor)) this.turns.push(actor)
  }

  #take(event: CheckedEvent): void {
    const actor = actorOf(event)
    this.held = this.held.filter((one) => one.event !== event)
    const queue = this.queue(actor).filter((one) => one !== event)
    this.queues.set(actor, queue)
    if (queue.length === 0) this.turns = this.turns.filter((one) => one !== actor)
  }
}
