import { type Rate, TokenBucket } from './token-bucket.ts'

/** What one peer may ask of one protocol, in requests. Against request floods and stream floods. */
export interface Quota extends Rate {
  /** Answers under way at once. */
  readonly concurrent: number
  /** Blocks or headers that it is sent. Against few requests that each cost much. */
  readonly blocks?: Rate
  /** Bytes that it is sent. */
  readonly bytes?: Rate
}

/** What an answer came to, a frame at a time. */
export interface Cost {
  readonly blocks?: number
  readonly bytes?: number
}

interface Account {
  readonly requests: TokenBucket
  readonly blocks: TokenBucket | undefined
  readonly bytes: TokenBucket | undefined
  /** Refusals that are no flood yet. */
  readonly refusals: TokenBucket
  active: number
}

export type Entry =
  | { readonly ok: true; readonly charge: (cost: Cost) => void; readonly leave: () => void }
  | {
      readonly ok: false
      readonly retryAfterMs: number
      /** It goes on asking although it was told when to come back. */
      readonly flood: boolean
    }

/** What a peer that has too many answers under way is told to wait: about one answer's time. */
const CONCURRENT_RETRY_MS = 250
/** Accounts that are full again are thrown away when there are this many: against peers that come under ever new ids. */
const SWEEP_AT = 1024
/** One that keeps to what it is told meets a refusal now and then; streams opened in vain cost us as much as answers. */
const REFUSALS: Rate = { burst: 64, perSecond: 4 }

/**
 * Token buckets per peer and protocol, and a count of what is under way. They outlive the connection, so that
 * reconnecting refills nothing. Pure but for the clock it is given.
 */
export class Quotas<Name extends string> {
  readonly #rules: Readonly<Record<Name, Quota>>
  readonly #now: () => number
  readonly #accounts = new Map<string, Account>()

  /** @param now a monotonic clock in ms */
  constructor(rules: Readonly<Record<Name, Quota>>, now: () => number) {
    this.#rules = rules
    this.#now = now
  }

  /** Takes one request; `charge` what is sent, and `leave` when the answer is done. */
  enter(peerId: string, name: Name): Entry {
    const rule = this.#rules[name]
    const now = this.#now()
    if (this.#accounts.size >= SWEEP_AT) this.#sweep(now)
    const key = `${name} ${peerId}`
    const account = this.#accounts.get(key) ?? open(rule, now)
    this.#accounts.set(key, account)
    const { requests, blocks, bytes, refusals } = account
    const wait = Math.max(
      requests.waitMs(1, now),
      // Whatever is left of these will do: what the answer costs shows later.
      blocks?.waitMs(0, now) ?? 0,
      bytes?.waitMs(0, now) ?? 0,
      account.active >= rule.concurrent ? CONCURRENT_RETRY_MS : 0
    )
    if (wait > 0) {
      refusals.spend(1, now)
      return { ok: false, retryAfterMs: wait, flood: refusals.waitMs(0, now) > 0 }
    }
    requests.spend(1, now)
    account.active += 1
    let left = false
    return {
      ok: true,
      charge: (cost) => {
        blocks?.spend(cost.blocks ?? 0, this.#now())
        bytes?.spend(cost.bytes ?? 0, this.#now())
      },
      leave: () => {
        if (!left) account.active -= 1
        left = true
      }
    }
  }

  get size(): number {
    return this.#accounts.size
  }

  #sweep(now: number): void {
    for (const [key, { active, requests, blocks, bytes, refusals }] of this.#accounts) {
      const full = [requests, blocks, bytes, refusals].every((bucket) => bucket?.isFull(now) ?? true)
      if (active === 0 && full) this.#accounts.delete(key)
    }
  }
}

function open(rule: Quota, at: number): Account {
  return {
    requests: new TokenBucket(rule, at),
    blocks: rule.blocks && new TokenBucket(rule.blocks, at),
    bytes: rule.bytes && new TokenBucket(rule.bytes, at),
    refusals: new TokenBucket(REFUSALS, at),
    active: 0
  }
}
