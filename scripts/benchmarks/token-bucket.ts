/** Lets bytes through at a rate: a chunk passes at once as long as nothing is owed, and then may overdraw. Pure. */
export class TokenBucket {
  readonly #bytesPerMs: number
  readonly #burst: number
  #tokens: number
  #at: number

  /**
   * @param burst bytes that may pass at once after a pause
   * @param at ms of a clock that never goes back, as in `take`
   */
  constructor(bytesPerSecond: number, burst: number, at: number) {
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#burst = burst
    this.#tokens = burst
    this.#at = at
  }

  /** `bytes` pass now. @returns ms until the next may */
  take(bytes: number, at: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (at - this.#at) * this.#bytesPerMs) - bytes
    this.#at = at
    return Math.max(0, -this.#tokens / this.#bytesPerMs)
  }
}
