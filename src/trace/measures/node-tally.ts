import { getOrMake } from './get-or-make.ts'
import type { ClockSpan, NodeStats } from './gossip-stats.ts'
import { peerText } from './keys.ts'

/** The earliest and latest time of records. */
export class Clock {
  first: bigint | undefined
  last: bigint | undefined

  add(time: bigint): void {
    if (this.first === undefined || time < this.first) this.first = time
    if (this.last === undefined || time > this.last) this.last = time
  }

  /** ns */
  get span(): number {
    return Number((this.last ?? 0n) - (this.first ?? 0n))
  }

  stats(): ClockSpan {
    return {
      first_ns: this.first?.toString() ?? null,
      last_ns: this.last?.toString() ?? null,
      span_ms: this.span / 1e6
    }
  }
}

/** How much there is of each node's trace. */
export class NodeTallies {
  readonly #nodes = new Map<string, { records: number; lost: number; readonly clock: Clock }>()

  add(node: string, time: bigint, lost: number): void {
    const tally = getOrMake(this.#nodes, node, () => ({ records: 0, lost: 0, clock: new Clock() }))
    tally.records++
    tally.lost += lost
    tally.clock.add(time)
  }

  /** In the order of their first record. */
  names(): ReadonlySet<string> {
    return new Set(this.#nodes.keys())
  }

  stats(): NodeStats[] {
    return [...this.#nodes].map(([node, { records, lost, clock }]) => ({
      node: peerText(node),
      records,
      lost_records: lost,
      clock: clock.stats()
    }))
  }
}
