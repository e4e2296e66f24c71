/**
 * A steady rate: tokens come evenly, and at most a second's worth is saved up (of slow rates two). Times in ms of one
 * monotonic clock.
 */
export class Tokens {
  readonly #rate: number
  /** A second's; of slow rates two whole ones, or what is more than one would be lost each time. */
  readonly #most: number
  #tokens = 0
  #at: number

  /** @param rate tokens a second */
  constructor(rate: number, now: number) {
    this.#rate = rate
    this.#most = Math.max(rate, 2)
    this.#at = now
  }

  /** Takes as many whole tokens as there are, at most `most`. */
  take(now: number, most: number): number {
    this.#tokens = Math.min(this.#most, this.#tokens + (this.#rate * (now - this.#at)) / 1000)
    this.#at = now
    const taken = Math.max(0, Math.min(Math.floor(this.#tokens), most))
    this.#tokens -= taken
    return taken
  }
}
