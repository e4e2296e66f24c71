/** Work between two turns of the event loop, so that a flood of small tasks does not keep it from all else. */
export class Turns {
  readonly #limit: number
  #left: number
  #next: Promise<void> | undefined

  /** @param limit work a turn, in the units of `take` */
  constructor(limit: number) {
    this.#limit = limit
    this.#left = limit
  }

  /** Resolves when it is the caller's turn to do so much. First come, first served. */
  async take(work: number): Promise<void> {
    while (this.#left <= 0) await this.#turn()
    this.#left -= work
    // However little was done, the next turn begins anew.
    void this.#turn()
  }

  #turn(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#left = this.#limit
        this.#next = undefined
        resolve()
      })
    })
    return this.#next
  }
}
