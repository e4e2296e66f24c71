import { networkError } from './errors.ts'
import { type Rate, TokenBucket } from './token-bucket.ts'

/**
 * Above this share of the main loop's time bulk answers go on at the least pace only: what is left is for consensus,
 * gossip and the API.
 */
const BUSY = 0.75
/** One frame in this time goes out however busy the loop is: a peer that waits must not take us for dead. */
const LEAST_PACE_MS = 100
/** How often it is looked whether the next frame may go. */
const POLL_MS = 10
/** What a refused peer is told to wait, at least and at most. */
const MIN_RETRY_MS = 250
const MAX_RETRY_MS = 10_000
/** Smoothing of how long an answer takes, and the first guess. */
const ANSWER_SMOOTHING = 0.2
const FIRST_ANSWER_MS = 500

export interface BudgetOptions {
  /** Bulk answers under way at once, all peers together. Against crowds: each holds buffers and disk reads. */
  readonly maxAnswers: number
  /** Bytes of bulk answers, all peers together. */
  readonly bytes: Rate
  /** Share of the last moments that the main loop was at work, 0 … 1. */
  readonly load: () => number
  /** Monotonic ms. */
  readonly now: () => number
}

export type Place =
  | { readonly ok: true; readonly turn: (bytes: number) => Promise<void>; readonly leave: () => void }
  | { readonly ok: false; readonly retryAfterMs: number }

interface Turn {
  readonly bytes: number
  readonly go: () => void
  readonly drop: (error: Error) => void
}

function gone(): Error {
  return networkError('PEER_CLOSED', 'the stream of this answer is gone')
}

/**
 * What all peers together may take of this node in bulk: a crowd that syncs from a validator must not slow down its
 * votes. Frames of all answers stand in one line, and one goes when the bytes' bucket and the main loop allow it.
 */
export class ServingBudget {
  readonly #options: BudgetOptions
  readonly #bucket: TokenBucket
  /** Answers under way by whom they are for, and by where that is. */
  readonly #active = new Map<string, number>()
  readonly #line: Turn[] = []
  /** Peers that were told to come back, and when. */
  readonly #waiting = new Map<string, number>()
  #answers = 0
  #answerMs = FIRST_ANSWER_MS
  #wentAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(options: BudgetOptions) {
    this.#options = options
    this.#bucket = new TokenBucket(options.bytes, options.now())
  }

  /**
   * A place for one answer: wait for your `turn` before each frame, and `leave` when it is done or its stream is gone.
   * @param host where the peer is: ids are free, addresses are not
   */
  enter(peerId: string, host: string): Place {
    const { maxAnswers, now } = this.#options
    const owners = [peerId, host]
    const shared = owners.some((owner) => this.#active.has(owner))
    // With half of the places taken each peer and each host gets one, so that the quick do not crowd out the others.
    if (this.#answers >= maxAnswers || (shared && this.#answers >= maxAnswers / 2)) {
      return { ok: false, retryAfterMs: this.#retryAfter(peerId) }
    }
    this.#waiting.delete(peerId)
    this.#answers += 1
    for (const owner of owners) this.#active.set(owner, (this.#active.get(owner) ?? 0) + 1)
    const since = now()
    let left = false
    let turn: Turn | undefined
    return {
      ok: true,
      turn: (bytes) =>
        new Promise((go, drop) => {
          if (left) return drop(gone())
          turn = { bytes, go, drop }
          this.#line.push(turn)
          this.#pump()
        }),
      leave: () => {
        if (left) return
        left = true
        this.#answers -= 1
        this.#answerMs += ANSWER_SMOOTHING * (now() - since - this.#answerMs)
        for (const owner of owners) this.#release(owner)
        if (turn !== undefined) this.#unqueue(turn)
      }
    }
  }

  #release(owner: string): void {
    const others = (this.#active.get(owner) ?? 1) - 1
    if (others > 0) this.#active.set(owner, others)
    else this.#active.delete(owner)
  }

  /** Whoever is gone must not hold up those behind. */
  #unqueue(turn: Turn): void {
    const at = this.#line.indexOf(turn)
    if (at < 0) return
    this.#line.splice(at, 1)
    turn.drop(gone())
  }

  /** Answers under way. */
  get answers(): number {
    return this.#answers
  }

  /** Its place in the line of those who wait, in answers' time. */
  #retryAfter(peerId: string): number {
    const { maxAnswers, now } = this.#options
    const at = now()
    for (const [peer, until] of this.#waiting) if (until <= at) this.#waiting.delete(peer)
    this.#waiting.delete(peerId)
    const ahead = this.#waiting.size + 1
    const wait = Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, (this.#answerMs * ahead) / maxAnswers))
    this.#waiting.set(peerId, at + wait)
    return wait
  }

  #pump(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (let next = this.#line[0]; next !== undefined; next = this.#line[0]) {
      const wait = this.#waitMs()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#pump(), wait)
        return
      }
      this.#line.shift()
      this.#wentAt = this.#options.now()
      this.#bucket.spend(next.bytes, this.#wentAt)
      next.go()
    }
  }

  /** Until it is worth looking again; 0: the next frame may go. */
  #waitMs(): number {
    const { load, now } = this.#options
    const at = now()
    const debt = this.#bucket.waitMs(0, at)
    if (debt > 0) return Math.ceil(debt)
    const since = at - this.#wentAt
    return load() < BUSY || since >= LEAST_PACE_MS ? 0 : Math.min(POLL_MS, Math.ceil(LEAST_PACE_MS - since))
  }
}
