import type { Clock } from './ports.ts'

/** Named one-shot timers that are dropped together. */
export class Timers {
  readonly #clock: Clock
  readonly #cancels = new Map<string, () => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Replaces the timer of that name. */
  set(name: string, ms: number, run: () => void): void {
    this.clear(name)
    const cancel = this.#clock.after(ms, () => {
      this.#cancels.delete(name)
      run()
    })
    this.#cancels.set(name, cancel)
  }

  has(name: string): boolean {
    return this.#cancels.has(name)
  }

  clear(name: string): void {
    this.#cancels.get(name)?.()
    this.#cancels.delete(name)
  }

  clearAll(): void {
    for (const name of [...this.#cancels.keys()]) this.clear(name)
  }
}
