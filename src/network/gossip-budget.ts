import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Rate, TokenBucket } from './token-bucket.ts'

/** What a frame, a message or a subscription costs beside its bytes: hashing and looking up a small one takes as long as this many. */
const ENTRY_COST = 1024
/** The same of a field within one: an id is looked up, some microsecond. */
const FIELD_COST = 256
/** What one peer may send a second, in largest messages: an event, its block and the final block, twice over and more. */
const PEER_MESSAGES: Rate = { burst: 24, perSecond: 8 }
/** The same of all together that are no validators: ids are free. */
const OTHERS_MESSAGES: Rate = { burst: 48, perSecond: 16 }
/** What each of them is sure of besides, in bytes, whatever others send: votes, headers, some events. */
const SURE: Rate = { burst: 512 << 10, perSecond: 128 << 10 }
/** After so much work the loop has a turn for others. */
const TURN_COST = 256 << 10
/** Accounts that are full again are thrown away when there are this many: against peers that come under ever new ids. */
const SWEEP_AT = 1024
/** Whoever waits looks again after this long at the latest. */
const MAX_WAIT_MS = 1000

export interface GossipBudgetOptions {
  readonly maxMessageBytes: number
  /** Whether the peer has proven to be a validator: its votes wait for nobody else's flood. */
  readonly isValidator: (peerId: string) => boolean
  /** Monotonic ms. */
  readonly now: () => number
}

/** What a frame has. */
export interface FrameCount {
  /** Messages, subscriptions and control messages. */
  readonly entries: number
  /** On all levels, with the entries. */
  readonly fields: number
}

interface Account {
  readonly own: TokenBucket
  readonly sure: TokenBucket
  /** Which one it was of those that were let go; of the latest. */
  turn: number
}

/** A frame that waits until it can be paid for. */
interface Waiter {
  readonly peerId: string
  readonly account: Account
  readonly cost: number
  readonly go: () => void
}

/**
 * What the gossip of each peer may cost, in bytes and in entries, each of which counts as so many bytes. A frame is paid for
 * after it was read and before it is looked at, and the next is read then: a sender that is too fast waits, and loses nothing.
 * Those without a validator's key pay from what each is sure of, or from what all of them have together; there one at a time is
 * let go, of the peer whose last turn was longest ago, so that a flood waits for all others.
 */
export class GossipBudget {
  readonly #options: GossipBudgetOptions
  readonly #accounts = new Map<string, Account>()
  readonly #common: TokenBucket
  #waiting: Waiter[] = []
  #timer: NodeJS.Timeout | undefined
  #sinceTurn = 0
  #turns = 0

  constructor(options: GossipBudgetOptions) {
    this.#options = options
    this.#common = new TokenBucket(times(OTHERS_MESSAGES, options.maxMessageBytes), options.now())
  }

  /** What it has cost already: an answer. */
  charge(peerId: string, bytes: number): void {
    const now = this.#options.now()
    const account = this.#accountOf(peerId, now)
    this.#sinceTurn += bytes
    account.own.spend(bytes, now)
    if (this.#options.isValidator(peerId)) return
    const payer = isSure(account, bytes, now) ? account.sure : this.#common
    payer.spend(bytes, now)
  }

  /**
   * Charges a frame.
   * @returns what is to be waited for before it is looked at, if anything
   */
  pay(peerId: string, bytes: number, { entries, fields }: FrameCount): Promise<void> | undefined {
    const now = this.#options.now()
    const cost = bytes + ENTRY_COST * (1 + entries) + FIELD_COST * (fields - entries)
    const account = this.#accountOf(peerId, now)
    account.own.spend(cost, now)
    this.#sinceTurn += cost
    if (this.#sinceTurn >= TURN_COST || account.own.waitMs(0, now) > 0) return this.#wait(peerId, account, cost)
    if (this.#options.isValidator(peerId) || this.#take(account, cost, now)) return undefined
    return this.#wait(peerId, account, cost)
  }

  /** The peer has left: nothing of it waits any more. */
  forget(peerId: string): void {
    for (const { go } of this.#remove((waiter) => waiter.peerId === peerId)) go()
    this.#serve()
  }

  get size(): number {
    return this.#accounts.size
  }

  /** How many frames wait for others. */
  get waiting(): number {
    return this.#waiting.length
  }

  async #wait(peerId: string, account: Account, cost: number): Promise<void> {
    if (this.#sinceTurn >= TURN_COST) {
      this.#sinceTurn = 0
      await nextTurn()
    }
    const debt = (): number => account.own.waitMs(0, this.#options.now())
    for (let wait = debt(); wait > 0; wait = debt()) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(MAX_WAIT_MS, Math.ceil(wait))).unref())
    }
    if (this.#options.isValidator(peerId)) return
    await new Promise<void>((go) => {
      this.#waiting.push({ peerId, account, cost, go })
      this.#serve()
    })
  }

  /** @returns whether it is paid for without waiting for anybody */
  #take(account: Account, cost: number, now: number): boolean {
    if (isSure(account, cost, now)) {
      account.sure.spend(cost, now)
      return true
    }
    if (this.#waiting.length > 0 || !covers(this.#common, cost, now)) return false
    this.#common.spend(cost, now)
    return true
  }

  /** Lets go whoever can pay. */
  #serve(): void {
    clearTimeout(this.#timer)
    const now = this.#options.now()
    for (const one of this.#waiting) {
      if (!isSure(one.account, one.cost, now)) continue
      one.account.sure.spend(one.cost, now)
      this.#letGo(one)
    }
    let first = this.#first()
    while (first !== undefined && covers(this.#common, first.cost, now)) {
      this.#common.spend(first.cost, now)
      first.account.turn = ++this.#turns
      this.#letGo(first)
      first = this.#first()
    }
    if (first === undefined) return
    const waits = this.#waiting
      .filter(({ cost }) => cost <= SURE.burst)
      .map(({ account, cost }) => account.sure.waitMs(cost, now))
    const wait = Math.min(MAX_WAIT_MS, this.#common.waitMs(affordable(this.#common, first.cost), now), ...waits)
    this.#timer = setTimeout(() => this.#serve(), Math.ceil(wait)).unref()
  }

  /** Of the peer whose last turn was longest ago; among equals who came first. */
  #first(): Waiter | undefined {
    return this.#waiting.reduce<Waiter | undefined>(
      (first, one) => (first === undefined || one.account.turn < first.account.turn ? one : first),
      undefined
    )
  }

  #letGo(waiter: Waiter): void {
    this.#remove((one) => one === waiter)
    waiter.go()
  }

  #remove(which: (waiter: Waiter) => boolean): Waiter[] {
    const removed = this.#waiting.filter(which)
    this.#waiting = this.#waiting.filter((one) => !which(one))
    return removed
  }

  #accountOf(peerId: string, now: number): Account {
    const known = this.#accounts.get(peerId)
    if (known !== undefined) return known
    if (this.#accounts.size >= SWEEP_AT) {
      for (const [id, { own, sure }] of this.#accounts) {
        if (own.isFull(now) && sure.isFull(now)) this.#accounts.delete(id)
      }
    }
    const own = new TokenBucket(times(PEER_MESSAGES, this.#options.maxMessageBytes), now)
    const account = { own, sure: new TokenBucket(SURE, now), turn: 0 }
    this.#accounts.set(peerId, account)
    return account
  }
}

function isSure({ sure }: Account, cost: number, now: number): boolean {
  return cost <= SURE.burst && sure.waitMs(cost, now) === 0
}

/** The dearest frames cost more than a bucket holds: then a full one will do. */
function covers(bucket: TokenBucket, cost: number, now: number): boolean {
  return bucket.waitMs(affordable(bucket, cost), now) === 0
}

function affordable(bucket: TokenBucket, cost: number): number {
  return Math.min(cost, bucket.rate.burst)
}

function times({ burst, perSecond }: Rate, factor: number): Rate {
  return { burst: burst * factor, perSecond: perSecond * factor }
}
