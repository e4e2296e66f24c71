import { getOrMake } from './get-or-make.ts'

/** Which traced nodes are subscribed to which topics, as far as the records tell. */
export class Subscriptions {
  /** Sets are replaced, not changed: a message in flight keeps the one of its time. */
  readonly #nodesOf = new Map<string, ReadonlySet<string>>()
  /** Node and topic that a JOIN or LEAVE spoke of. */
  readonly #told = new Map<string, Set<string>>()

  join(node: string, topic: string): void {
    this.#tell(node, topic)
    this.#put(node, topic)
  }

  leave(node: string, topic: string): void {
    this.#tell(node, topic)
    if (!this.nodes(topic).has(node)) return
    this.#nodesOf.set(topic, new Set([...this.nodes(topic)].filter((other) => other !== node)))
  }

  /** What only a subscriber records: a trace that begins later than the subscription has no JOIN. */
  imply(node: string, topic: string): void {
    if (!this.#told.get(topic)?.has(node)) this.#put(node, topic)
  }

  nodes(topic: string): ReadonlySet<string> {
    return this.#nodesOf.get(topic) ?? new Set()
  }

  /** All that ever had a subscriber. */
  topics(): Iterable<string> {
    return this.#nodesOf.keys()
  }

  #tell(node: string, topic: string): void {
    getOrMake(this.#told, topic, () => new Set<string>()).add(node)
  }

  #put(node: string, topic: string): void {
    const nodes = this.nodes(topic)
    if (!nodes.has(node)) this.#nodesOf.set(topic, new Set([...nodes, node]))
  }
}
