import type { Clock } from '../../../src/consensus/ports.ts'

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  /** Unix ms at monotonic 0: who changes it sets the clock. */
  epoch = Date.now()
  #time = 0
  #timers: { readonly at: number; readonly run: () => void }[] = []

  now(): number {
    return this.epoch + this.#time
  }

  monotonic(): number {
    return this.#time
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#time + ms, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer)
    }
  }

  /** In how many ms each timer falls due. */
  get waits(): number[] {
    return this.#timers.map(({ at }) => at - this.#time)
  }

  /** Runs what falls due, in order, and lets promises settle in between. */
  async pass(ms: number): Promise<void> {
    const end = this.#time + ms
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((one) => one !== next)
      this.#time = Math.max(this.#time, next.at)
      next.run()
      await new Promise(setImmediate)
    }
    this.#time = end
    await new Promise(setImmediate)
  }
}
