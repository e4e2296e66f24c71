/** Heights `from` … `to`. */
export interface HeightRange {
  readonly from: number
  readonly to: number
}

/**
 * - `new`: not seen before.
 * - `late`: not seen before, and reported as missed by now.
 * - `known`: seen before.
 * - `old`: below where the watch of this topic began, or too old for it to begin there.
 */
export type Sighting = 'new' | 'late' | 'known' | 'old'

/** How far below the first height seen the watch may yet begin: what was sent at about the same time comes in any order. */
const MAX_BACK = 16
/**
 * How far below what is final by then: a replay of long ago would begin the watch there, and all that came since, which went
 * by before the watch, would be missed.
 */
const MAX_STALE = 2
/** Heights above the last settled one that are remembered: a validator may vote at any number of them. */
const MAX_AHEAD = 4096
/** Ranges missed that are remembered, so that what comes late after all is told from what comes again. */
const MAX_MISSED = 1024

/**
 * Which heights of one topic were seen and which were missed: pure. A height is missed if it is final, nothing of it came
 * within `graceMs` of our hearing that it (or a later one) is, and something of an earlier height had come. What is
 * reported as missed and what is not make up all final heights from the first seen on, each once.
 */
export class HeightGaps {
  readonly #graceMs: number
  /** The highest height that is known to be final. */
  #final = 0
  /** Heights up to `height` are known to be final since `at`; those that are not settled. */
  #due: { readonly height: number; readonly at: number }[] = []
  /** Of heights up to here it is decided whether they are missed; undefined: nothing has been seen. */
  #settled: number | undefined
  #first = 0
  /** No height below is one that the watch may begin at. */
  #floor = 0
  /** Above the settled height. */
  readonly #seen = new Set<number>()
  #highest = 0
  #missed: HeightRange[] = []

  constructor(graceMs: number) {
    this.#graceMs = graceMs
  }

  /** What `seen` would say. */
  sighting(height: number): Sighting {
    if (this.#settled === undefined) return height < this.#final - MAX_STALE ? 'old' : 'new'
    if (height < this.#first) {
      const unsettled = this.#settled === this.#first - 1
      return unsettled && height >= Math.max(this.#first - MAX_BACK, this.#floor) ? 'new' : 'old'
    }
    if (height > this.#settled) return this.#seen.has(height) ? 'known' : 'new'
    return this.#missed.some(({ from, to }) => from <= height && height <= to) ? 'late' : 'known'
  }

  /** Something of this height came. */
  seen(height: number): Sighting {
    const sighting = this.sighting(height)
    if (sighting === 'late') this.#fill(height)
    if (sighting !== 'new') return sighting
    if (this.#settled === undefined) this.#floor = this.#final - MAX_STALE
    if (this.#settled === undefined || height < this.#first) this.#begin(height)
    else this.#add(height)
    return sighting
  }

  /** A commit shows that this height is final. @param now monotonic ms */
  final(height: number, now: number): void {
    if (height <= this.#final) return
    this.#final = height
    this.#due.push({ height, at: now })
  }

  /** @returns what is missed for sure by now, each once */
  settle(now: number): HeightRange[] {
    if (this.#settled === undefined) {
      this.#due = this.#due.slice(-1)
      return []
    }
    let upTo = 0
    while (this.#due[0] !== undefined && this.#due[0].at + this.#graceMs <= now) upTo = this.#due.shift()?.height ?? 0
    return this.#settleTo(upTo)
  }

  /** The watch ends: what is missing below the highest seen is missed; what became final just now is not waited for. */
  end(now: number): HeightRange[] {
    return [...this.settle(now), ...this.#settleTo(Math.min(this.#highest, this.#final))]
  }

  #begin(height: number): void {
    this.#first = height
    this.#settled = height - 1
    this.#add(height)
  }

  #add(height: number): void {
    if (this.#seen.size >= MAX_AHEAD) {
      const furthest = Math.max(...this.#seen)
      if (furthest <= height) return
      this.#seen.delete(furthest)
    }
    this.#seen.add(height)
    this.#highest = Math.max(this.#highest, height)
  }

  #settleTo(height: number): HeightRange[] {
    if (this.#settled === undefined || height <= this.#settled) return []
    const seen = [...this.#seen].filter((one) => one <= height).sort((a, b) => a - b)
    const gaps: HeightRange[] = []
    let next = this.#settled + 1
    for (const one of [...seen, height + 1]) {
      if (one > next) gaps.push({ from: next, to: one - 1 })
      next = one + 1
    }
    for (const one of seen) this.#seen.delete(one)
    this.#settled = height
    this.#missed = [...this.#missed, ...gaps].slice(-MAX_MISSED)
    return gaps
  }

  #fill(height: number): void {
    this.#missed = this.#missed.flatMap(({ from, to }) =>
      height < from || to < height
        ? [{ from, to }]
        : [
            { from, to: height - 1 },
            { from: height + 1, to }
          ].filter((one) => one.from <= one.to)
    )
  }
}
