/** Latencies in whole milliseconds, counted: any number of them in bounded memory, percentiles exact to 1 ms. */
export class Latencies {
  /** The last slot holds everything longer: a minute is an outage, not a latency. */
  readonly #counts = new Uint32Array(60_001)
  #total = 0

  get total(): number {
    return this.#total
  }

  add(milliseconds: number, times = 1): void {
    const slot = Math.min(this.#counts.length - 1, Math.max(0, Math.round(milliseconds)))
    this.#counts[slot] = (this.#counts[slot] as number) + times
    this.#total += times
  }

  /** The smallest latency that `share` (0 … 1) of all are not above (nearest rank); undefined before the first. */
  percentile(share: number): number | undefined {
    if (this.#total === 0) return undefined
    let left = Math.max(1, Math.ceil(share * this.#total))
    return this.#counts.findIndex((count) => {
      left -= count
      return left <= 0
    })
  }
}
