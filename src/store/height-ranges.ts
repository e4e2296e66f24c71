/** Heights `from` … `to`, both included. */
export interface HeightRange {
  readonly from: number
  readonly to: number
}

/** A set of heights as ranges in ascending order with gaps between them. */
export class HeightRanges {
  #ranges: HeightRange[]

  /** @param ranges in ascending order, none touching the next */
  constructor(ranges: readonly HeightRange[] = []) {
    this.#ranges = [...ranges]
  }

  get ranges(): readonly HeightRange[] {
    return this.#ranges
  }

  /** How many heights there are. */
  get size(): number {
    return this.#ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0)
  }

  add(from: number, to: number): void {
    const before = this.#ranges.filter((range) => range.to < from - 1)
    const after = this.#ranges.filter((range) => range.from > to + 1)
    const joined = this.#ranges.slice(before.length, this.#ranges.length - after.length)
    const first = joined[0]
    const last = joined.at(-1)
    const merged = { from: Math.min(from, first?.from ?? from), to: Math.max(to, last?.to ?? to) }
    this.#ranges = [...before, merged, ...after]
  }

  /** Takes out all at or above `height`. */
  dropFrom(height: number): void {
    this.#ranges = this.#ranges
      .filter(({ from }) => from < height)
      .map(({ from, to }) => ({ from, to: Math.min(to, height - 1) }))
  }

  has(height: number): boolean {
    return this.find(height) !== undefined
  }

  /** The range that a height is in. */
  find(height: number): HeightRange | undefined {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ranges[middle] as HeightRange).to < height) low = middle + 1
      else high = middle
    }
    const range = this.#ranges[low]
    return range !== undefined && range.from <= height ? range : undefined
  }

  /** What of `from` … `to` is not in the set, ascending. */
  missing(from: number, to: number): HeightRange[] {
    const gaps: HeightRange[] = []
    let at = from
    for (const range of this.#ranges) {
      if (range.to < at) continue
      if (range.from > to) break
      if (range.from > at) gaps.push({ from: at, to: range.from - 1 })
      at = range.to + 1
    }
    if (at <= to) gaps.push({ from: at, to })
    return gaps
  }
}
