import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Rate, TokenBucket } from './token-bucket.ts'

/** What a field or frame costs beside its bytes: reading, hashing and looking up a small message takes as long as this many. */
const ENTRY_COST = 1024
/** What one peer may send a second, in largest messages: an event, its block and the final block, twice over and more. */
const PEER_MESSAGES: Rate = { burst: 24, perSecond: 8 }
/** The same of all together that are no validators: ids are free. */
const OTHERS_MESSAGES: Rate = { burst: 48, perSecond: 16 }
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

/**
 * What the gossip of each peer may cost, in bytes and in entries, each of which counts as so many bytes. A frame is paid for
 * after it was read, and the next is read when the debt is paid off: a sender that is too fast waits, and loses nothing.
 */
export class GossipBudget {
  readonly #options: GossipBudgetOptions
  readonly #peers = new Map<string, TokenBucket>()
  readonly #others: TokenBucket
  #sinceTurn = 0

  constructor(options: GossipBudgetOptions) {
    this.#options = options
    this.#others = new TokenBucket(times(OTHERS_MESSAGES, options.maxMessageBytes), options.now())
  }

  /** What it has cost already. */
  charge(peerId: string, bytes: number, entries = 0): void {
    const now = this.#options.now()
    const cost = bytes + entries * ENTRY_COST
    this.#sinceTurn += cost
    for (const bucket of this.#bucketsOf(peerId, now)) bucket.spend(cost, now)
  }

  /** Charges a frame. @returns what is to be waited for before the next, if anything */
  pay(peerId: string, bytes: number, fields: number): Promise<void> | undefined {
    this.charge(peerId, bytes, 1 + fields)
    if (this.#sinceTurn < TURN_COST && this.waitMs(peerId) === 0) return undefined
    return this.#wait(peerId)
  }

  get size(): number {
    return this.#peers.size
  }

  async #wait(peerId: string): Promise<void> {
    this.#sinceTurn = 0
    await nextTurn()
    for (let wait = this.waitMs(peerId); wait > 0; wait = this.waitMs(peerId)) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(MAX_WAIT_MS, Math.ceil(wait))).unref())
    }
  }

  /** How long until the peer's next frame is read. */
  waitMs(peerId: string): number {
    const now = this.#options.now()
    return Math.max(...this.#bucketsOf(peerId, now).map((bucket) => bucket.waitMs(0, now)))
  }

  #bucketsOf(peerId: string, now: number): TokenBucket[] {
    let own = this.#peers.get(peerId)
    if (own === undefined) {
      if (this.#peers.size >= SWEEP_AT) {
        for (const [id, bucket] of this.#peers) if (bucket.isFull(now)) this.#peers.delete(id)
      }
      own = new TokenBucket(times(PEER_MESSAGES, this.#options.maxMessageBytes), now)
      this.#peers.set(peerId, own)
    }
    return this.#options.isValidator(peerId) ? [own] : [own, this.#others]
  }
}

function times({ burst, perSecond }: Rate, factor: number): Rate {
  return { burst: burst * factor, perSecond: perSecond * factor }
}
