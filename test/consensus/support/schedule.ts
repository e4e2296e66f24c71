/** Virtual time: what is due runs in order, and between two events every promise that can settle does. */
import { setImmediate as settled } from 'node:timers/promises'

interface Due {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export class Schedule {
  /** Virtual milliseconds since the start. */
  now = 0
  events = 0
  #order = 0
  #heap: Due[] = []

  after(ms: number, run: () => void): void {
    const due = { at: this.now + ms, order: this.#order++, run }
    let at = this.#heap.push(due) - 1
    while (at > 0) {
      const up = (at - 1) >> 1
      if (before(this.#heap[up]!, due)) break
      this.#heap[at] = this.#heap[up]!
      at = up
    }
    this.#heap[at] = due
  }

  /** Runs until `done` or until the virtual time `end`. */
  async run(done: () => boolean, end: number): Promise<void> {
    while (!done()) {
      const next = this.#heap[0]
      if (next === undefined || next.at > end) return
      this.#pop()
      this.now = next.at
      this.events++
      next.run()
      await settled()
    }
  }

  #pop(): void {
    const last = this.#heap.pop()!
    if (this.#heap.length === 0) return
    let at = 0
    for (;;) {
      let down = 2 * at + 1
      if (down >= this.#heap.length) break
      if (down + 1 < this.#heap.length && before(this.#heap[down + 1]!, this.#heap[down]!)) down++
      if (before(last, this.#heap[down]!)) break
      this.#heap[at] = this.#heap[down]!
      at = down
    }
    this.#heap[at] = last
  }
}

function before(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
