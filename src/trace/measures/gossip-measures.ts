import { IGNORED, type RpcMeta, type TraceEvent, type TraceType } from '../event.ts'
import { ControlTally } from './control.ts'
import { getOrMake } from './get-or-make.ts'
import type { GossipStats } from './gossip-stats.ts'
import { InFlight, type Message } from './in-flight.ts'
import { keyOf } from './keys.ts'
import { MeshDegrees } from './mesh.ts'
import { Clock, NodeTallies } from './node-tally.ts'
import { ScopeTally } from './scope-tally.ts'
import { Subscriptions } from './subscriptions.ts'

export interface MeasureOptions {
  /** How long after its first mention a message is followed; 120 s, longer than gossipsub remembers what it has seen. */
  readonly horizonMs?: number
  /** Samples of mesh degrees that are kept at most. */
  readonly meshSamples?: number
}

type MessageEvent = Extract<TraceEvent, { readonly messageId: Uint8Array }>

/**
 * Measures traces in one pass: `add` every record of all nodes, merged by time, then take the `result`. What is in memory
 * is a count or bucket for every node, peer, topic and reason there is, and a detail for each message that was first
 * mentioned (in a record of it, an IHAVE or an IWANT) no longer than the horizon ago. GossipStats defines the numbers.
 */
export class GossipMeasures {
  readonly #horizonMs: number
  readonly #inFlight: InFlight
  readonly #subscriptions = new Subscriptions()
  readonly #meshes: MeshDegrees
  readonly #control = new ControlTally()
  readonly #nodes = new NodeTallies()
  readonly #clock = new Clock()
  readonly #all = new ScopeTally()
  readonly #topics = new Map<string, ScopeTally>()
  readonly #types = new Map<TraceType, number>()
  #origin: bigint | undefined
  /** The latest time so far, ns after the first record: one node's clock that lags turns nothing back. */
  #now = 0
  #result: GossipStats | undefined

  constructor({ horizonMs = 120_000, meshSamples = 512 }: MeasureOptions = {}) {
    this.#horizonMs = horizonMs
    this.#inFlight = new InFlight(horizonMs * 1e6, (message) => this.#finish(message))
    this.#meshes = new MeshDegrees(this.#subscriptions, meshSamples)
  }

  /** Messages whose detail is in memory. */
  get inFlight(): number {
    return this.#inFlight.size
  }

  add(event: TraceEvent): void {
    if (this.#result !== undefined) throw new Error('the result was taken: there is nothing to add to')
    this.#origin ??= event.timestamp
    const time = Number(event.timestamp - this.#origin)
    this.#now = Math.max(this.#now, time)
    this.#inFlight.advance(this.#now)
    this.#meshes.advance(this.#now)
    const node = keyOf(event.peerId)
    this.#clock.add(event.timestamp)
    this.#nodes.add(node, event.timestamp, event.type === 'LOST' ? event.count : 0)
    this.#types.set(event.type, (this.#types.get(event.type) ?? 0) + 1)
    this.#apply(event, node, time)
  }

  /** Folds in what is still in flight; nothing can be added after. */
  result(): GossipStats {
    this.#result ??= this.#makeResult()
    return this.#result
  }

  #apply(event: TraceEvent, node: string, time: number): void {
    switch (event.type) {
      case 'PUBLISH_MESSAGE':
      case 'DELIVER_MESSAGE':
      case 'DUPLICATE_MESSAGE':
      case 'REJECT_MESSAGE':
        this.#addMessage(event, node, time)
        break
      case 'RECV_RPC':
        this.#announced(event.meta)
        this.#control.add(event)
        break
      case 'SEND_RPC':
        this.#asked(event.meta, node, keyOf(event.peer))
        this.#control.add(event)
        break
      case 'DROP_RPC':
        this.#control.add(event)
        break
      case 'JOIN':
        this.#subscriptions.join(node, event.topic)
        // A node that was killed has left nothing: what its last run had in its mesh is gone.
        this.#meshes.leave(node, event.topic)
        // Of a topic where nothing comes, the report says so.
        this.#topic(event.topic)
        break
      case 'LEAVE':
        this.#subscriptions.leave(node, event.topic)
        this.#meshes.leave(node, event.topic)
        break
      case 'GRAFT':
        this.#subscriptions.imply(node, event.topic)
        this.#meshes.graft(node, event.topic, keyOf(event.peer), this.#now)
        for (const scope of this.#scopes(event.topic)) scope.grafts++
        break
      case 'PRUNE':
        this.#subscriptions.imply(node, event.topic)
        this.#meshes.prune(node, event.topic, keyOf(event.peer))
        for (const scope of this.#scopes(event.topic)) scope.prunes++
        break
      case 'ON_CLOSED_OUTBOUND_STREAM':
        this.#meshes.closed(node, keyOf(event.peer), this.#now)
        break
      case 'ON_NEW_OUTBOUND_STREAM':
        this.#meshes.opened(node, keyOf(event.peer), this.#now)
        break
    }
  }

  #addMessage(event: MessageEvent, node: string, time: number): void {
    const { type, topic } = event
    const from = event.type === 'PUBLISH_MESSAGE' ? node : keyOf(event.receivedFrom)
    if (type === 'DUPLICATE_MESSAGE' || (type === 'DELIVER_MESSAGE' && from !== node)) {
      this.#subscriptions.imply(node, topic)
    }
    const message = this.#inFlight.get(keyOf(event.messageId), this.#now)
    if (message.expected === undefined) {
      message.topic = topic
      message.expected = this.#subscriptions.nodes(topic)
    }
    message.sighted(node, time)
    const at = message.at(node)
    const came = type !== 'PUBLISH_MESSAGE' && at.asked?.has(from) === true
    if (came) at.came = true
    const scopes = this.#scopes(topic)
    switch (type) {
      case 'PUBLISH_MESSAGE':
        for (const scope of scopes) scope.published++
        break
      case 'DUPLICATE_MESSAGE':
        at.duplicates++
        at.firstDuplicateAt ??= time
        for (const scope of scopes) scope.duplicates++
        return
      case 'REJECT_MESSAGE':
        if (event.reason === IGNORED) at.ignored = true
        for (const scope of scopes) scope.rejected(event.reason)
        return
    }
    at.hadAt ??= time
    // go-libp2p also traces a node's delivery to itself of what it publishes.
    if (from === node) {
      at.published = true
      message.publishedAt = Math.min(message.publishedAt ?? time, time)
      return
    }
    at.deliveredAt ??= time
    if (came) at.cameFirst = true
    for (const scope of scopes) scope.delivered(node, from)
  }

  #announced(meta: RpcMeta): void {
    for (const { topic, messageIds } of meta.control?.ihave ?? []) {
      for (const scope of this.#scopes(topic)) scope.ihaveIds += messageIds.length
      for (const id of messageIds) this.#inFlight.get(keyOf(id), this.#now).topic ??= topic
    }
  }

  #asked(meta: RpcMeta, node: string, peer: string): void {
    for (const { messageIds } of meta.control?.iwant ?? []) {
      for (const id of messageIds) {
        const at = this.#inFlight.get(keyOf(id), this.#now).at(node)
        at.asked ??= new Set()
        at.asked.add(peer)
        at.askedIds++
      }
    }
  }

  #finish(message: Message): void {
    this.#all.finish(message)
    if (message.topic !== undefined) this.#topic(message.topic).finish(message)
  }

  #scopes(topic: string): [ScopeTally, ScopeTally] {
    return [this.#all, this.#topic(topic)]
  }

  #topic(topic: string): ScopeTally {
    return getOrMake(this.#topics, topic, () => new ScopeTally())
  }

  #makeResult(): GossipStats {
    this.#inFlight.advance(Number.POSITIVE_INFINITY)
    if (this.#origin !== undefined) this.#meshes.finish(this.#now)
    const nodes = this.#nodes.stats()
    const names = this.#nodes.names()
    const lost = nodes.reduce((sum, node) => sum + node.lost_records, 0)
    const { span } = this.#clock
    return {
      records: nodes.reduce((sum, node) => sum + node.records, 0),
      records_by_type: Object.fromEntries([...this.#types].sort(([a], [b]) => (a < b ? -1 : 1))),
      clock: this.#clock.stats(),
      lower_bounds: this.#types.has('LOST'),
      lost_records: lost,
      horizon_ms: this.#horizonMs,
      nodes,
      ...this.#control.stats(),
      all: this.#all.stats(span, names),
      topics: [...this.#topics]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([topic, tally]) => ({ topic, ...tally.stats(span, names), mesh_degree: this.#meshes.stats(topic) }))
    }
  }
}

/** The measures of all these records, which are merged by time. */
export async function measureTraces(
  events: Iterable<TraceEvent> | AsyncIterable<TraceEvent>,
  options: MeasureOptions = {}
): Promise<GossipStats> {
  const measures = new GossipMeasures(options)
  for await (const event of events) measures.add(event)
  return measures.result()
}
