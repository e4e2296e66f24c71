import type { Log } from '../log.ts'

/** What would do. */
export const NEW_PEER_KEY =
  'stop one of them, move its keys/peer.key away and make it a key of its own with `moloch keys new peer`'

/** Of what is no longer seen nothing is said after so many times the time after which it would be seen again. */
const KEPT_TIMES = 2
/** Who says so: against peers under ever new ids that do. */
const MAX_WITNESSES = 64
/** What this node has sent to itself has come in after that. */
const ITSELF_MS = 10_000

export interface OwnKeyOptions {
  /** This node's peer id. */
  readonly self: string
  /** After this long one that was turned away comes again. */
  readonly retryMs: number
  /** Whether this node dials anybody now. */
  readonly isDialling: () => boolean
  /** Monotonic ms. */
  readonly now: () => number
  /** Unix ms. */
  readonly wallClock: () => number
  readonly log: Log
}

/** Another running node uses this node's peer key. */
export interface KeyInUse {
  /** Unix ms. */
  readonly since: number
  readonly message: string
}

interface Seen {
  readonly words: string
  /** Unix ms. */
  readonly since: number
  /** Monotonic ms. */
  last: number
}

/**
 * What shows that another running node has this node's peer key: a copied home, a cloned machine. That peers say so may be
 * a lie, so nothing but words for people follows from it.
 */
export class OwnKey {
  readonly #options: OwnKeyOptions
  /** By who or what shows it. */
  readonly #seen = new Map<string, Seen>()
  #warnedAt = Number.NEGATIVE_INFINITY
  #metItselfAt = Number.NEGATIVE_INFINITY

  constructor(options: OwnKeyOptions) {
    this.#options = options
  }

  /** A peer says that another process shows our peer id. */
  told(peerId: string, address: string): void {
    this.#saw(peerId, `peer ${peerId} at ${address} says so`)
  }

  /** A peer takes us for the one that has the key. */
  takenBy(peerId: string): void {
    this.#seen.delete(peerId)
  }

  /** A dial of ours came to ourselves. */
  metItself(): void {
    this.#metItselfAt = this.#options.now()
  }

  /** Who has connected from the address has our key. With dials of our own under way, or just over, it may be ourselves. */
  calledFrom(address: string): void {
    const { isDialling, now } = this.#options
    if (!isDialling() && now() - this.#metItselfAt >= ITSELF_MS) this.met(address)
  }

  /** Who answers at the address has our key, and it is not ourselves. */
  met(address: string): void {
    this.#saw(address, `it is at ${address}`)
  }

  /** Undefined: nothing of late. */
  state(): KeyInUse | undefined {
    const { self, retryMs, now } = this.#options
    for (const [by, { last }] of this.#seen) if (now() - last >= KEPT_TIMES * retryMs) this.#seen.delete(by)
    const [first] = this.#seen.values()
    if (first === undefined) return undefined
    const more = this.#seen.size === 1 ? '' : ` (and ${this.#seen.size - 1} more)`
    const since = Math.min(...[...this.#seen.values()].map((one) => one.since))
    return {
      since,
      message: `another running node uses this node's peer key (peer id ${self}): ${first.words}${more}; ${NEW_PEER_KEY}`
    }
  }

  #saw(by: string, words: string): void {
    const { now, wallClock, retryMs, log } = this.#options
    const known = this.#seen.get(by)
    if (known === undefined && this.#seen.size >= MAX_WITNESSES) return
    this.#seen.set(by, { words, since: known?.since ?? wallClock(), last: now() })
    const state = this.state() as KeyInUse
    const isNews = now() - this.#warnedAt >= retryMs
    if (isNews) this.#warnedAt = now()
    log[isNews ? 'warn' : 'debug']({ code: 'KEY_IN_USE', by }, state.message)
  }
}
