/**
 * Who publishes a decided block (protocol §7, Publication): its proposer at once; if that died, whoever of the validators is
 * next in rank, after a delay, unless somebody has by then. Blocks may come faster than that: each height waits by itself.
 */
import type { Genesis } from '../chain/genesis.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { publicationDelay } from './pace.ts'
import type { Clock } from './ports.ts'
import { Timers } from './timers.ts'
import { NEWS_HEIGHTS } from './told.ts'

/** What goes to the topics of a final block. */
export interface Published {
  /** The FinalizedBlock. */
  readonly finalized: Uint8Array
  /** The TrustedHeader. */
  readonly header: Uint8Array
}

/**
 * Heights that wait at a time: each is as large as its block. If there are more, the lowest is published at once, while it
 * still is news to others: for so many heights nobody has done it.
 */
export const HEIGHTS_WAITING = NEWS_HEIGHTS / 2

interface Waiting {
  readonly hash: Uint8Array
  readonly messages: Published
}

export class Publication {
  readonly #genesis: Genesis
  readonly #timers: Timers
  readonly #publish: (messages: Published) => void
  /** By hash, the height of what somebody else has published. */
  readonly #seen = new Map<string, number>()
  readonly #waiting = new Map<number, Waiting>()

  constructor(genesis: Genesis, clock: Clock, publish: (messages: Published) => void) {
    this.#genesis = genesis
    this.#timers = new Timers(clock)
    this.#publish = publish
  }

  /** @param self own index; −1 for an observer, which publishes nothing */
  decided(self: number, block: { height: number; hash: Uint8Array; proposer: number }, messages: Published): void {
    const { height, hash, proposer } = block
    if (self < 0) return
    const delay = publicationDelay(self, proposer, this.#genesis.validators.size)
    if (delay === 0) {
      this.#publish(messages)
      return
    }
    if (this.#seen.has(toHex(hash))) return
    this.#waiting.set(height, { hash, messages })
    this.#timers.set(nameOf(height), delay, () => this.#release(height))
    if (this.#waiting.size > HEIGHTS_WAITING) this.#release(Math.min(...this.#waiting.keys()))
  }

  /**
   * Somebody published a final block. With a false commit it would keep the true one from those who need it; and what is
   * known of one height says nothing of those below, which another proposer may have kept to itself.
   */
  seen(height: number, hash: Uint8Array): void {
    this.#seen.set(toHex(hash), height)
    const newest = Math.max(...this.#seen.values())
    for (const [old, at] of this.#seen) if (at <= newest - NEWS_HEIGHTS) this.#seen.delete(old)
    const waiting = this.#waiting.get(height)
    if (waiting !== undefined && equalBytes(waiting.hash, hash)) this.#drop(height)
  }

  stop(): void {
    this.#waiting.clear()
    this.#timers.clearAll()
  }

  #release(height: number): void {
    const waiting = this.#waiting.get(height)
    this.#drop(height)
    if (waiting !== undefined) this.#publish(waiting.messages)
  }

  #drop(height: number): void {
    this.#waiting.delete(height)
    this.#timers.clear(nameOf(height))
  }
}

const nameOf = (height: number): string => `publish ${height}`
