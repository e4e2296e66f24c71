/** Follows what is waited for: since when, whether the chain stands, and when to say so. Pure: moments in, news out. */
import type { Waiting } from './waiting.ts'

/** What to log. */
export type StandingNews =
  /** It stands, for a new reason or still. */
  | { readonly type: 'stands'; readonly forMs: number }
  /** A block came after `forMs`. */
  | { readonly type: 'ended'; readonly forMs: number }

/** Reasons that change are told no more often than this: 3 lines a minute. */
const TOLD_GAP_MS = 20_000
/** A reason that stays is told again: logs are read from their end. */
const TOLD_AGAIN_MS = 600_000

/** Nothing is late while these last. */
const IN_TIME: ReadonlySet<Waiting['for']> = new Set(['turn', 'sync'])
/** Nothing comes before these have ended: there is no need to wait and see. */
const CERTAIN: ReadonlySet<Waiting['for']> = new Set(['genesis-time', 'restart'])

export class Standing {
  readonly #afterMs: number
  #tip = -1
  #tipAt = 0
  #key = ''
  #since = 0
  #lateAt: number | undefined
  #certain = false
  #told: string | undefined
  #toldAt = 0

  /** @param afterMs for how long a block may be late */
  constructor(afterMs: number) {
    this.#afterMs = afterMs
  }

  /** Monotonic ms since which the same is waited for. */
  get since(): number {
    return this.#since
  }

  /** @param at monotonic ms @returns for how long there was no block, ms, if the chain stands */
  standsFor(at: number): number | undefined {
    const late = this.#lateAt !== undefined && at - this.#lateAt >= this.#afterMs
    return late || this.#certain ? at - this.#tipAt : undefined
  }

  /** @param tip height of the last block @param at monotonic ms */
  see(tip: number, waiting: Waiting, at: number): StandingNews | undefined {
    const ended = tip === this.#tip ? undefined : this.#tipMoved(tip, at)
    const key = keyOf(waiting)
    if (key !== this.#key) {
      this.#key = key
      this.#since = at
    }
    this.#certain = CERTAIN.has(waiting.for)
    if (!IN_TIME.has(waiting.for) && !this.#certain) this.#lateAt ??= at
    return ended ?? this.#stands(reasonOf(waiting), at)
  }

  #tipMoved(tip: number, at: number): StandingNews | undefined {
    const forMs = at - this.#tipAt
    const told = this.#told !== undefined
    this.#tip = tip
    this.#tipAt = at
    this.#lateAt = undefined
    this.#told = undefined
    return told ? { type: 'ended', forMs } : undefined
  }

  #stands(reason: string, at: number): StandingNews | undefined {
    const forMs = this.standsFor(at)
    if (forMs === undefined) return undefined
    const gap = reason === this.#told ? TOLD_AGAIN_MS : TOLD_GAP_MS
    if (this.#told !== undefined && at - this.#toldAt < gap) return undefined
    this.#told = reason
    this.#toldAt = at
    return { type: 'stands', forMs }
  }
}

/** What is waited for, without the counts that change while it is. */
function keyOf(waiting: Waiting): string {
  switch (waiting.for) {
    case 'validators':
    case 'votes':
      return `${waiting.for} ${waiting.missing.map(({ validator }) => validator).join(' ')}`
    case 'proposal':
    case 'turn':
      return `${waiting.for} ${waiting.proposer}`
    default:
      return waiting.for
  }
}

/** In a chain that stands rounds pass, and with them proposals and votes: that is one reason, and who is missing another. */
function reasonOf(waiting: Waiting): string {
  return waiting.for === 'validators' || CERTAIN.has(waiting.for) ? keyOf(waiting) : 'rounds'
}
