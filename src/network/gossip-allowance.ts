import { type Rate, TokenBucket } from './token-bucket.ts'
import type { Topic } from './types.ts'

/**
 * Costs are in checks of one signature, some 0.1 ms of a core.
 *
 * What one peer may send of one topic that is of no use here. Each topic has its own: a node whose clock is wrong finds all
 * events useless, and is to hear votes all the same.
 */
const OWN: Rate = { burst: 4000, perSecond: 200 }
/** Of that, what a peer without a validator's key is sure of, whatever others send: ids are free. */
const SURE: Rate = { burst: 100, perSecond: 4 }
/** The rest is from what all of them have together: a twentieth of a core. */
const COMMON: Rate = { burst: 4000, perSecond: 500 }
/**
 * Copies of messages that had come before. An honest peer sends us each message once, so each that comes for the first time
 * allows everybody so many copies, and a few come with time. What is not used is kept for as long as peers are behind.
 */
const COPIES = { burst: 1000, atFirst: 100, perSecond: 20, each: 1.5 } as const

/** No event is shorter, so this is how many signatures there can be. */
const EVENT_BYTES = 128
const MAX_EVENTS = 2048
/** A commit has about so many bytes a signature, and no more than so many in all. */
const SIGNED_BYTES = 100
const MAX_COMMIT_BYTES = 16 << 10
/** So much is walked, hashed and copied in the time of a signature. */
const HASHED_BYTES = 8192

/** Accounts that are full again are thrown away when there are this many: against peers that come under ever new ids. */
const SWEEP_AT = 1024

export interface GossipAllowanceOptions {
  /** Whether the peer has proven to be a validator: there are few of them, and what they send depends on no stranger. */
  readonly isValidator: (peerId: string) => boolean
  /** Monotonic ms. */
  readonly now: () => number
}

/** A message that is being looked at. */
export interface Reservation {
  /** To be called once. @param waste which part of the work was for nothing, 0 … 1: that part is not given back */
  readonly settle: (waste: number) => void
}

interface Purse {
  readonly own: TokenBucket
  readonly sure: TokenBucket
}

interface Account {
  readonly topics: Map<Topic, Purse>
  readonly copies: TokenBucket
}

/** What looking at a message costs at most. */
export function costOf(topic: Topic, bytes: number): number {
  const walked = 1 + bytes / HASHED_BYTES
  switch (topic) {
    case 'vote':
    case 'block':
      return walked
    case 'events':
      return Math.min(bytes / EVENT_BYTES, MAX_EVENTS) + walked
    case 'finalized':
    case 'header':
      return Math.min(bytes, MAX_COMMIT_BYTES) / SIGNED_BYTES + walked
  }
}

/**
 * How much of what peers send may be of no use: to ignore a message costs us what its sender does not pay. Whoever has used it
 * up is not looked at for a while. That is all there is to it: what is ignored here for our clock or our chain may be of use
 * elsewhere, so nobody loses score by it. Pure but for the clock it is given.
 */
export class GossipAllowance {
  readonly #options: GossipAllowanceOptions
  readonly #accounts = new Map<string, Account>()
  readonly #common: TokenBucket
  /** Cost of the copies of all that came for the first time. */
  #firsts = 0

  constructor(options: GossipAllowanceOptions) {
    this.#options = options
    this.#common = new TokenBucket(COMMON, options.now())
  }

  /**
   * Takes what looking at the message may cost.
   * @returns undefined: the peer cannot pay for it now
   */
  reserve(peerId: string, topic: Topic, bytes: number): Reservation | undefined {
    const now = this.#options.now()
    const cost = costOf(topic, bytes)
    const buckets = this.#payers(peerId, topic, cost, now)
    if (buckets === undefined) return undefined
    for (const bucket of buckets) bucket.spend(cost, now)
    return {
      settle: (waste) => {
        for (const bucket of buckets) bucket.spend(cost * (waste - 1), this.#options.now())
      }
    }
  }

  /** Whether a small message of the peer would be looked at. */
  isOpen(peerId: string, topic: Topic): boolean {
    const now = this.#options.now()
    return this.#payers(peerId, topic, 1, now) !== undefined
  }

  /** A message came that had not come before: each peer may send it too. */
  first(bytes: number): void {
    this.#firsts += costOfCopy(bytes)
  }

  /** The peer has sent a message that had come before. */
  copy(peerId: string, bytes: number): void {
    const now = this.#options.now()
    this.#accountOf(peerId, now).copies.spend(costOfCopy(bytes), this.#copiesAt(now))
  }

  get size(): number {
    return this.#accounts.size
  }

  #payers(peerId: string, topic: Topic, cost: number, now: number): TokenBucket[] | undefined {
    const account = this.#accountOf(peerId, now)
    if (account.copies.waitMs(0, this.#copiesAt(now)) > 0) return undefined
    const { own, sure } = this.#purseOf(account, topic, now)
    if (!covers(own, cost, now)) return undefined
    if (this.#options.isValidator(peerId)) return [own]
    const other = [sure, this.#common].find((bucket) => covers(bucket, cost, now))
    return other && [own, other]
  }

  /** The clock of the buckets of copies goes on with what comes for the first time, and a little with time. */
  #copiesAt(now: number): number {
    return COPIES.each * this.#firsts + (COPIES.perSecond * now) / 1000
  }

  #accountOf(peerId: string, now: number): Account {
    const known = this.#accounts.get(peerId)
    if (known !== undefined) return known
    if (this.#accounts.size >= SWEEP_AT) this.#sweep(now)
    const at = this.#copiesAt(now)
    const copies = new TokenBucket({ burst: COPIES.burst, perSecond: 1000 }, at)
    copies.spend(COPIES.burst - COPIES.atFirst, at)
    const account = { topics: new Map<Topic, Purse>(), copies }
    this.#accounts.set(peerId, account)
    return account
  }

  #purseOf({ topics }: Account, topic: Topic, now: number): Purse {
    const purse = topics.get(topic) ?? { own: new TokenBucket(OWN, now), sure: new TokenBucket(SURE, now) }
    topics.set(topic, purse)
    return purse
  }

  #sweep(now: number): void {
    for (const [peerId, { topics, copies }] of this.#accounts) {
      const full = [...topics.values()].every(({ own, sure }) => own.isFull(now) && sure.isFull(now))
      if (full && copies.isFull(this.#copiesAt(now))) this.#accounts.delete(peerId)
    }
  }
}

/** The largest messages cost more than some buckets hold: then a full one will do. */
function covers(bucket: TokenBucket, cost: number, now: number): boolean {
  return bucket.waitMs(Math.min(cost, bucket.rate.burst), now) === 0
}

/** In the same units, some of which it takes to hash a message and to find it among those that came. */
function costOfCopy(bytes: number): number {
  return 0.2 + bytes / (8 * HASHED_BYTES)
}
