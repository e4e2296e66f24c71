import type { DelayStats, DistributionStats } from './gossip-stats.ts'

/** Bits that a sample keeps. */
const BITS = 11
const CDF_POINTS = 200
const NS_PER_MS = 1e6

/** The integer `value` ≥ 0 with only its 11 highest bits. */
export function keepHighBits(value: number): number {
  if (value < 2 ** BITS) return value
  const unit = 2 ** (Math.floor(Math.log2(value)) + 1 - BITS)
  return Math.floor(value / unit) * unit
}

/** Integers ≥ 0 in buckets: some thousands of numbers in memory however many the samples. */
export class Distribution {
  readonly #buckets = new Map<number, number>()
  #count = 0
  #sum = 0
  #max = 0

  add(value: number): void {
    const bucket = keepHighBits(value)
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1)
    this.#count++
    this.#sum += value
    this.#max = Math.max(this.#max, value)
  }

  /** Distinct samples as they are kept, ascending, and how often each came. */
  values(): [value: number, count: number][] {
    return [...this.#buckets].sort(([a], [b]) => a - b)
  }

  stats(unit = 1): DistributionStats {
    if (this.#count === 0) return { count: 0, mean: null, p50: null, p90: null, p99: null, max: null }
    const n = this.#count
    const [p50, p90, p99] = this.#ranks([0.5, 0.9, 0.99].map((p) => Math.ceil(p * n))) as [number, number, number]
    return {
      count: n,
      mean: this.#sum / n / unit,
      p50: p50 / unit,
      p90: p90 / unit,
      p99: p99 / unit,
      max: this.#max / unit
    }
  }

  /** Of nanoseconds. */
  delayStats(): DelayStats {
    const points = Math.min(this.#count, CDF_POINTS)
    // In integers: k / points * count would be off by a rank where the quotient is not exact.
    const ranks = Array.from({ length: points }, (_, i) => Math.ceil(((i + 1) * this.#count) / points))
    const cdf = this.#ranks(ranks).map((ns, i) => ({ delay_ms: ns / NS_PER_MS, share: (i + 1) / points }))
    return { ...this.stats(NS_PER_MS), cdf }
  }

  /** The samples of these ranks, which count from 1 and ascend. */
  #ranks(ranks: readonly number[]): number[] {
    const out: number[] = []
    let seen = 0
    for (const [value, count] of this.values()) {
      seen += count
      while (out.length < ranks.length && (ranks[out.length] as number) <= seen) out.push(value)
    }
    return out
  }
}
