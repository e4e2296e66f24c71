/** The mempool's rules over one plain list, searched each time. The oracle of the linked one. */
import type { CheckedEvent } from '../../../src/chain/event.ts'
import {
  type AddResult,
  type MempoolLimits,
  type SelectOptions,
  type Source,
  sizeInBlock
} from '../../../src/chain/mempool.ts'

interface Held {
  readonly event: CheckedEvent
  readonly source: Source
}

type Room = Pick<SelectOptions, 'maxEvents' | 'maxBytes'>

export function actorOf(event: CheckedEvent): string {
  return Buffer.from(event.actor).toString('hex')
}

export function total(events: readonly CheckedEvent[]): number {
  return events.reduce((bytes, event) => bytes + event.bytes.byteLength, 0)
}

const KINDS = ['unvouched', 'vouched', 'own'] as const
const nameOf = ({ kind, name }: Source): string => `${kind}/${name}`
const keyOf = (source: Source, event: CheckedEvent): string => `${nameOf(source)}/${actorOf(event)}`
const toEnd = (list: readonly string[], one: string): string[] => [...list.filter((other) => other !== one), one]

export class NaiveMempool {
  readonly limits: MempoolLimits
  /** In order of arrival. */
  held: Held[] = []
  /** Of an actor at a source, in order. */
  readonly queues = new Map<string, CheckedEvent[]>()
  /** Whose turn it is, first to last: sources, and actors of sources. */
  turns: string[] = []

  constructor(limits: MempoolLimits) {
    this.limits = limits
  }

  get events(): CheckedEvent[] {
    return this.held.map(({ event }) => event)
  }

  of(kind: Source['kind'], name?: string): CheckedEvent[] {
    const held = this.held.filter(({ source }) => source.kind === kind && (name === undefined || source.name === name))
    return held.map(({ event }) => event)
  }

  cost(events: readonly CheckedEvent[]): number {
    return events.reduce((sum, event) => sum + Math.max(event.bytes.byteLength, this.#least()), 0)
  }

  room(kind: Source['kind']): number {
    const { maxBytes, unvouchedShare } = this.limits
    return maxBytes * { own: 0.5, vouched: 0.5 - unvouchedShare, unvouched: unvouchedShare }[kind]
  }

  add(event: CheckedEvent, source: Source): AddResult {
    const known = this.held.find((one) => one.event === event)
    if (known !== undefined && KINDS.indexOf(source.kind) <= KINDS.indexOf(known.source.kind)) return 'known'
    const { maxPerCaller } = this.limits
    const own = source.kind === 'own'
    if (own && this.#isOver(this.of('own', source.name), event, maxPerCaller)) return 'source-full'
    if (known === undefined && this.#isOverActor(event)) return 'actor-full'
    const victims = this.#victims(event, source)
    if (victims === undefined) return 'full'
    for (const victim of victims) this.#take(victim)
    if (known !== undefined) this.#take(event)
    this.#insert(event, source, Number.POSITIVE_INFINITY)
    return known !== undefined ? 'raised' : victims.length > 0 ? 'displacing' : 'added'
  }

  putBack(events: readonly CheckedEvent[], source: Source): CheckedEvent[] {
    const added: CheckedEvent[] = []
    for (const event of events) {
      if (this.events.includes(event) || !this.#hasRoom(event, source.kind) || this.#isOverActor(event)) continue
      this.#insert(event, source, added.filter((other) => actorOf(other) === actorOf(event)).length)
      added.push(event)
    }
    return added
  }

  remove(events: readonly CheckedEvent[]): number {
    let removed = 0
    for (const event of events) {
      const held = this.held.find((one) => one.event === event)
      if (held === undefined) continue
      this.#take(event)
      removed++
      for (const turn of [keyOf(held.source, event), nameOf(held.source)]) {
        if (this.turns.includes(turn)) this.turns = toEnd(this.turns, turn)
      }
    }
    return removed
  }

  expire(timestamp: number, windowMs: number): CheckedEvent[] {
    const expired = this.events.filter((event) => event.timestamp < timestamp - windowMs)
    for (const event of expired) this.#take(event)
    return expired
  }

  select({ maxEvents, maxBytes, timestamp, windowMs, skip }: SelectOptions): CheckedEvent[] {
    const isEligible = (e: CheckedEvent) => Math.abs(timestamp - e.timestamp) <= windowMs && !skip?.(e.id)
    const [strangers, vouched, own] = KINDS.map((kind) =>
      this.#turnsOf(`${kind}/`, 2).map((source) =>
        this.#turnsOf(`${source}/`, 3).map((key) => (this.queues.get(key) as CheckedEvent[]).filter(isEligible))
      )
    ) as [CheckedEvent[][][], CheckedEvent[][][], CheckedEvent[][][]]
    const chosen: CheckedEvent[] = []
    const bytes = () => chosen.reduce((sum, event) => sum + sizeInBlock(event), 0)
    const isFull = () => chosen.length >= maxEvents || maxBytes - bytes() < 100
    /** An event of the source's next actor that has one that fits; what does not is passed over with all after it. */
    const next = (source: CheckedEvent[][]): boolean => {
      for (let queue = source.shift(); queue !== undefined; queue = source.shift()) {
        const [event, ...rest] = queue
        if (event === undefined || bytes() + sizeInBlock(event) > maxBytes) continue
        chosen.push(event)
        source.push(rest)
        return true
      }
      return false
    }
    const fill = (part: CheckedEvent[][][], share: Room): void => {
      const [events, size] = [chosen.length, bytes()]
      while (part.length > 0) {
        if (chosen.length - events >= share.maxEvents || bytes() - size >= share.maxBytes || isFull()) return
        const source = part.shift() as CheckedEvent[][]
        if (next(source)) part.push(source)
      }
    }
    const half = { maxEvents: Math.ceil(maxEvents / 2), maxBytes: Math.ceil(maxBytes / 2) }
    const limit = this.limits.unvouchedInBlock
    const theirs = {
      maxEvents: Math.min(limit.maxEvents, half.maxEvents),
      maxBytes: Math.min(limit.maxBytes, half.maxBytes)
    }
    fill(own, half)
    fill(vouched, {
      maxEvents: maxEvents - half.maxEvents - theirs.maxEvents,
      maxBytes: maxBytes - half.maxBytes - theirs.maxBytes
    })
    fill(strangers, theirs)
    fill(own, { maxEvents, maxBytes })
    fill(vouched, { maxEvents, maxBytes })
    return chosen
  }

  #turnsOf(prefix: string, depth: number): string[] {
    return this.turns.filter((turn) => turn.startsWith(prefix) && turn.split('/').length === depth)
  }

  #least(): number {
    return Math.ceil(this.limits.maxBytes / this.limits.maxEvents)
  }

  #hasRoom(event: CheckedEvent, kind: Source['kind'], held = this.of(kind)): boolean {
    return held.length === 0 || this.cost([...held, event]) <= this.room(kind)
  }

  #victims(event: CheckedEvent, { kind, name }: Source): CheckedEvent[] | undefined {
    if (this.#hasRoom(event, kind)) return []
    if (kind === 'own') return undefined
    const sources = this.#turnsOf(`${kind}/`, 2).map((turn) => turn.slice(kind.length + 1))
    const most = Math.max(...sources.map((source) => this.cost(this.of(kind, source))))
    const longest = sources.find((source) => this.cost(this.of(kind, source)) === most) as string
    if (longest === name) return undefined
    const left = this.of(kind, longest)
    const victims: CheckedEvent[] = []
    const rest = () => this.of(kind).filter((one) => !victims.includes(one))
    while (this.cost([...rest(), event]) > this.room(kind)) {
      const newest = left.pop()
      if (newest === undefined) return undefined
      victims.push(newest)
    }
    return this.cost([...this.of(kind, name), event]) <= this.cost(left) ? victims : undefined
  }

  #isOver(own: readonly CheckedEvent[], event: CheckedEvent, max: number): boolean {
    return own.length === 0 ? max === 0 : this.cost([...own, event]) > max * this.#least()
  }

  #isOverActor(event: CheckedEvent): boolean {
    const actors = this.events.filter((other) => actorOf(other) === actorOf(event))
    return this.#isOver(actors, event, this.limits.maxPerActor)
  }

  #insert(event: CheckedEvent, source: Source, at: number): void {
    const key = keyOf(source, event)
    this.held.push({ event, source })
    this.queues.set(key, (this.queues.get(key) ?? []).toSpliced(at, 0, event))
    for (const turn of [nameOf(source), key]) if (!this.turns.includes(turn)) this.turns.push(turn)
  }

  #take(event: CheckedEvent): void {
    const { source } = this.held.find((one) => one.event === event) as Held
    const key = keyOf(source, event)
    this.held = this.held.filter((one) => one.event !== event)
    const queue = (this.queues.get(key) as CheckedEvent[]).filter((one) => one !== event)
    this.queues.set(key, queue)
    if (queue.length === 0) this.turns = this.turns.filter((turn) => turn !== key)
    if (this.of(source.kind, source.name).length === 0) {
      this.turns = this.turns.filter((turn) => turn !== nameOf(source))
    }
  }
}
