/**
 * What a validator has heard since it started, before it signs anything. Others may have more of what it signed than it has itself: a
 * snapshot of a whole disk that is put back agrees with itself. Pure.
 *
 * It has heard enough when so many other validators as make a quorum with it have answered at its height, none of them ahead:
 * all four of a network that start together hear each other, and none has to sign first. Where it has no connection to so many
 * (a validator behind full nodes), an answer of any peer will do, and the time that others have had to come. But not where what its
 * key has signed is in doubt: a peer without a key can say anything, or keep others' answers away.
 */
export interface ListeningOptions {
  /** Other validators that have to answer: a quorum less one. */
  readonly needed: number
  /** Of the own clock, ms. */
  readonly patienceMs: number
}

export class Listening {
  readonly #options: ListeningOptions
  readonly #validators = new Set<number>()
  #others = false
  readonly #since: number

  constructor(options: ListeningOptions, now: number) {
    this.#options = options
    this.#since = now
  }

  /** Other validators that have answered. */
  get heard(): number {
    return this.#validators.size
  }

  get needed(): number {
    return this.#options.needed
  }

  /** @param validator its index; −1: it is none */
  hear(validator: number): void {
    if (validator >= 0) this.#validators.add(validator)
    else this.#others = true
  }

  hasHeard(validator: number): boolean {
    return this.#validators.has(validator)
  }

  /** @param isCertain what the key has signed is known here */
  isEnough(now: number, isCertain: boolean): boolean {
    if (this.heard >= this.#options.needed) return true
    return isCertain && (this.#others || this.heard > 0) && now - this.#since >= this.#options.patienceMs
  }
}
