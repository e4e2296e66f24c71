import { getOrMake } from './get-or-make.ts'
import type { MeshDegreeStats } from './gossip-stats.ts'
import { ratio } from './ratio.ts'
import type { Subscriptions } from './subscriptions.ts'

const FIRST_STEP_NS = 1e9
const NS_PER_MS = 1e6
/** A stream that is replaced closes too, with its peer in all meshes as before; one that is back later begins anew. */
const REPLACED_NS = 10e9

type Degree = Omit<MeshDegreeStats['samples'][number], 'at_ms'>

/**
 * Who is in whose mesh, sampled on a grid that gets coarser as the trace gets longer, so that a trace of a minute and one
 * of a year take the same memory.
 */
export class MeshDegrees {
  readonly #subscriptions: Subscriptions
  readonly #limit: number
  /** Of topic and node, the peers. */
  readonly #meshes = new Map<string, Map<string, Set<string>>>()
  /** Of a node, the peers to which it has no stream, and since when. They count in no mesh, but may be in one still. */
  readonly #away = new Map<string, Map<string, number>>()
  #samples: Map<string, Degree>[] = []
  #step = FIRST_STEP_NS

  constructor(subscriptions: Subscriptions, limit: number) {
    this.#subscriptions = subscriptions
    this.#limit = limit
  }

  /** Takes the samples that are due before a record at `clock` ns after the first is applied. */
  advance(clock: number): void {
    while (this.#samples.length * this.#step < clock) this.#sample()
  }

  /** Takes those that are due when there are no more records. */
  finish(clock: number): void {
    while (this.#samples.length * this.#step <= clock) this.#sample()
  }

  graft(node: string, topic: string, peer: string, clock: number): void {
    this.opened(node, peer, clock)
    const nodes = getOrMake(this.#meshes, topic, () => new Map<string, Set<string>>())
    getOrMake(nodes, node, () => new Set<string>()).add(peer)
  }

  prune(node: string, topic: string, peer: string): void {
    this.#meshes.get(topic)?.get(node)?.delete(peer)
  }

  closed(node: string, peer: string, clock: number): void {
    const away = getOrMake(this.#away, node, () => new Map<string, number>())
    if (!away.has(peer)) away.set(peer, clock)
  }

  opened(node: string, peer: string, clock: number): void {
    const since = this.#away.get(node)?.get(peer)
    if (since === undefined) return
    this.#away.get(node)?.delete(peer)
    if (clock - since > REPLACED_NS) this.#forget(node, peer)
  }

  #forget(node: string, peer: string): void {
    for (const nodes of this.#meshes.values()) nodes.get(node)?.delete(peer)
  }

  leave(node: string, topic: string): void {
    this.#meshes.get(topic)?.delete(node)
  }

  stats(topic: string): MeshDegreeStats {
    const step_ms = this.#step / NS_PER_MS
    const samples = this.#samples.flatMap((topics, i) => {
      const degree = topics.get(topic)
      return degree === undefined ? [] : [{ at_ms: i * step_ms, ...degree }]
    })
    const sum = samples.reduce((total, { mean }) => total + mean, 0)
    return { mean: ratio(sum, samples.length), step_ms, samples }
  }

  #sample(): void {
    this.#sweep(this.#samples.length * this.#step)
    const sample = new Map<string, Degree>()
    for (const topic of this.#subscriptions.topics()) {
      const degree = this.#degree(topic)
      if (degree.nodes > 0) sample.set(topic, degree)
    }
    this.#samples.push(sample)
    if (this.#samples.length <= this.#limit) return
    this.#samples = this.#samples.filter((_, i) => i % 2 === 0)
    this.#step *= 2
  }

  #sweep(clock: number): void {
    for (const [node, away] of this.#away) {
      for (const [peer, since] of away) if (clock - since > REPLACED_NS) this.opened(node, peer, clock)
    }
  }

  #present(node: string, mesh: ReadonlySet<string> | undefined): number {
    const away = this.#away.get(node)
    let count = 0
    for (const peer of mesh ?? []) if (away?.has(peer) !== true) count += 1
    return count
  }

  #degree(topic: string): Degree {
    const subscribed = this.#subscriptions.nodes(topic)
    const meshes = this.#meshes.get(topic)
    let [sum, min, max] = [0, Number.POSITIVE_INFINITY, 0]
    for (const node of subscribed) {
      const degree = this.#present(node, meshes?.get(node))
      sum += degree
      min = Math.min(min, degree)
      max = Math.max(max, degree)
    }
    return { nodes: subscribed.size, mean: sum / subscribed.size, min, max }
  }
}
