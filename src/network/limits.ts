/** What one peer may ask of one protocol. Against request floods and stream floods. */
export interface Quota {
  /** Requests that may come at once. */
  readonly burst: number
  /** Requests a second in the long run. */
  readonly perSecond: number
  /** Answers under way at once. */
  readonly concurrent: number
}

interface Bucket {
  tokens: number
  /** ms of the clock given to `enter`. */
  at: number
  active: number
}

export type Entry =
  | { readonly ok: true; readonly leave: () => void }
  | { readonly ok: false; readonly retryAfterMs: number }

/** What a peer that has too many answers under way is told to wait: about one answer's time. */
const CONCURRENT_RETRY_MS = 250
/** Buckets that are full again are thrown away when there are this many: against peers that come under ever new ids. */
const SWEEP_AT = 1024

/**
 * A token bucket per peer and protocol, and a count of what is under way. Buckets outlive the connection, so that
 * reconnecting refills nothing. Pure but for the clock it is given.
 */
export class Quotas<Name extends string> {
  readonly #rules: Readonly<Record<Name, Quota>>
  readonly #now: () => number
  readonly #buckets = new Map<string, Bucket>()

  /** @param now a monotonic clock in ms */
  constructor(rules: Readonly<Record<Name, Quota>>, now: () => number) {
    this.#rules = rules
    this.#now = now
  }

  /** Takes one token; call `leave` when the answer is done. */
  enter(peerId: string, name: Name): Entry {
    const rule = this.#rules[name]
    const now = this.#now()
    if (this.#buckets.size >= SWEEP_AT) this.#sweep(now)
    const key = `${name} ${peerId}`
    const bucket = this.#buckets.get(key) ?? { tokens: rule.burst, at: now, active: 0 }
    this.#buckets.set(key, bucket)
    refill(bucket, rule, now)
    if (bucket.tokens < 1) return { ok: false, retryAfterMs: ((1 - bucket.tokens) / rule.perSecond) * 1000 }
    if (bucket.active >= rule.concurrent) return { ok: false, retryAfterMs: CONCURRENT_RETRY_MS }
    bucket.tokens -= 1
    bucket.active += 1
    let left = false
    const leave = (): void => {
      if (!left) bucket.active -= 1
      left = true
    }
    return { ok: true, leave }
  }

  get size(): number {
    return this.#buckets.size
  }

  #sweep(now: number): void {
    for (const [key, bucket] of this.#buckets) {
      const rule = this.#rules[key.slice(0, key.indexOf(' ')) as Name]
      refill(bucket, rule, now)
      if (bucket.active === 0 && bucket.tokens >= rule.burst) this.#buckets.delete(key)
    }
  }
}

function refill(bucket: Bucket, rule: Quota, now: number): void {
  bucket.tokens = Math.min(rule.burst, bucket.tokens + ((now - bucket.at) / 1000) * rule.perSecond)
  bucket.at = now
}
