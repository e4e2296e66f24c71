/** What is begun in one turn of the loop: some milliseconds of work, however much was sent at once. */
const A_TURN = 16

/** Lets what comes by the thousand begin in order, a few in each turn of the loop, so that peers and consensus have theirs. */
export class Turns {
  readonly #waiting: (() => void)[] = []

  ask(begin: () => void): void {
    if (this.#waiting.push(begin) === 1) setImmediate(() => this.#turn())
  }

  #turn(): void {
    for (const begin of this.#waiting.splice(0, A_TURN)) begin()
    if (this.#waiting.length > 0) setImmediate(() => this.#turn())
  }
}
