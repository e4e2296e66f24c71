/** What may be spent: `burst` at once, `perSecond` in the long run. */
export interface Rate {
  readonly burst: number
  readonly perSecond: number
}

/**
 * A token bucket that may be overdrawn: what an answer costs is known only when it is made, so the debt is paid off
 * before the next. Pure: times are given, in monotonic ms.
 */
export class TokenBucket {
  readonly rate: Rate
  #tokens: number
  #at: number

  constructor(rate: Rate, at: number) {
    this.rate = rate
    this.#tokens = rate.burst
    this.#at = at
  }

  spend(tokens: number, at: number): void {
    this.#refill(at)
    this.#tokens -= tokens
  }

  /** How long until there are `tokens` of them; 0: there are now. */
  waitMs(tokens: number, at: number): number {
    this.#refill(at)
    return Math.max(0, ((tokens - this.#tokens) / this.rate.perSecond) * 1000)
  }

  isFull(at: number): boolean {
    this.#refill(at)
    return this.#tokens >= this.rate.burst
  }

  #refill(at: number): void {
    const { burst, perSecond } = this.rate
    this.#tokens = Math.min(burst, this.#tokens + ((at - this.#at) / 1000) * perSecond)
    this.#at = at
  }
}
