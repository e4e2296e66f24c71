import { MolochError } from '../error.ts'
import { heldBytes } from './policy/weight.ts'

/** One request that is out for a range. `reserved` is what the byte bound already holds for it. */
export interface Copy {
  readonly request: number
  readonly peer: string
  readonly since: number
  readonly heardAt: number
  readonly blocks: number
  readonly bytes: number
  readonly reserved: number
}

/** Blocks that have come, and the one peer that is answerable for them. `bytes` is their wire form. */
interface Held<Status> {
  readonly status: Status
  readonly request: number
  readonly peer: string
  readonly bytes: number
}

export interface Missing {
  readonly status: 'AwaitingDownload'
  /** The peer that failed these heights last; it is not asked again right after. */
  readonly failedBy: string | undefined
  readonly failedAt: number
  readonly attempts: number
}

export type RangeState =
  | Missing
  | { readonly status: 'Downloading'; readonly copies: readonly Copy[]; readonly before: Missing }
  | Held<'AwaitingVerify'>
  | Held<'Verifying'>
  | Held<'AwaitingCommit'>
  | Held<'Committing'>
  | { readonly status: 'Done' }

export type RangeStatus = RangeState['status']

const FRESH: Missing = { status: 'AwaitingDownload', failedBy: undefined, failedAt: 0, attempts: 0 }

/**
 * Consecutive heights that travel together from a request to the ledger, as one discriminated union:
 *
 *     AwaitingDownload → Downloading → AwaitingVerify → Verifying → AwaitingCommit → Committing → Done
 *
 * Each method is an arrow and says which. In any other state it throws SYNC_WRONG_STATE: that is a bug, never a peer's
 * doing. A range shrinks only at its upper end (`cut`), and what is cut off becomes a range of its own.
 */
export class Range {
  readonly id: number
  readonly start: number
  #count: number
  #state: RangeState = FRESH
  #attempts = 0
  #shown: { readonly status: RangeStatus; readonly since: number } | undefined

  constructor(id: number, start: number, count: number) {
    this.id = id
    this.start = start
    this.#count = count
  }

  get count(): number {
    return this.#count
  }

  /** The last height. */
  get end(): number {
    return this.start + this.#count - 1
  }

  get state(): RangeState {
    return this.#state
  }

  get status(): RangeStatus {
    return this.#state.status
  }

  /** Requests that were made for these heights. */
  get attempts(): number {
    return this.#attempts
  }

  /** When its status was first seen to be what it is; the scheduler looks after every event. */
  get since(): number {
    return this.#shown?.since ?? 0
  }

  look(at: number): void {
    const { status } = this.#state
    if (this.#shown?.status !== status) this.#shown = { status, since: at }
  }

  /** What the byte bound counts for this range, in whatever state it is. */
  get held(): number {
    const state = this.#state
    if (state.status === 'Downloading') return state.copies.reduce((sum, copy) => sum + copy.reserved, 0)
    return 'bytes' in state ? heldBytes(this.#count, state.bytes) : 0
  }

  /** AwaitingDownload → Downloading; Downloading → Downloading (a second copy at another peer). */
  request(request: number, peer: string, reserved: number, at: number): void {
    this.#attempts++
    const copy: Copy = { request, peer, since: at, heardAt: at, blocks: 0, bytes: 0, reserved }
    if (this.#state.status === 'Downloading') {
      if (this.#state.copies.some((other) => other.peer === peer)) throw this.#wrong('request twice at one peer')
      this.#state = { ...this.#state, copies: [...this.#state.copies, copy] }
    } else {
      const before = this.#in('request', 'AwaitingDownload')
      this.#state = { status: 'Downloading', copies: [copy], before }
    }
  }

  /** Downloading → Downloading: a frame of `blocks` blocks came, and `reserved` is held for the request from now on. */
  received(request: number, blocks: number, bytes: number, reserved: number, at: number): Copy {
    const state = this.#in('receive', 'Downloading')
    const old = this.copy(request)
    const copy = { ...old, blocks: old.blocks + blocks, bytes: old.bytes + bytes, reserved, heardAt: at }
    if (copy.blocks > this.#count) throw this.#wrong('receive more than asked')
    this.#state = { ...state, copies: state.copies.map((other) => (other === old ? copy : other)) }
    return copy
  }

  /** Downloading → AwaitingVerify: `request` brought every block. @returns the other requests, now needless */
  complete(request: number): readonly Copy[] {
    const state = this.#in('complete', 'Downloading')
    const copy = this.copy(request)
    if (copy.blocks !== this.#count) throw this.#wrong('complete before the last block')
    this.#state = { status: 'AwaitingVerify', request, peer: copy.peer, bytes: copy.bytes }
    return state.copies.filter((other) => other !== copy)
  }

  /** Downloading → Downloading (other copies go on) or → AwaitingDownload: `request` will bring no more. */
  fail(request: number, at: number, blame: boolean): void {
    const state = this.#in('fail', 'Downloading')
    const copy = this.copy(request)
    const copies = state.copies.filter((other) => other !== copy)
    const before = blame ? failed(copy.peer, at, state.before.attempts + 1) : state.before
    this.#state = copies.length > 0 ? { ...state, copies, before } : before
  }

  /** AwaitingVerify → Verifying. */
  verify(): void {
    this.#state = { ...this.#in('verify', 'AwaitingVerify'), status: 'Verifying' }
  }

  /** Verifying → AwaitingCommit. */
  verified(): void {
    this.#state = { ...this.#in('be verified', 'Verifying'), status: 'AwaitingCommit' }
  }

  /** AwaitingCommit → Committing. */
  commit(): void {
    this.#state = { ...this.#in('commit', 'AwaitingCommit'), status: 'Committing' }
  }

  /** Committing → AwaitingCommit: the ledger could not write; the blocks are still good. */
  retryCommit(): void {
    this.#state = { ...this.#in('retry the commit', 'Committing'), status: 'AwaitingCommit' }
  }

  /** Committing → Done. */
  committed(): void {
    this.#in('be committed', 'Committing')
    this.#state = { status: 'Done' }
  }

  /**
   * AwaitingVerify, Verifying or Committing → AwaitingDownload: the blocks are bad, or lost on our side (`blame` false).
   */
  discard(at: number, blame: boolean): void {
    const state = this.#state
    if (state.status !== 'AwaitingVerify' && state.status !== 'Verifying' && state.status !== 'Committing') {
      throw this.#wrong('discard')
    }
    this.#state = blame ? failed(state.peer, at, 1) : FRESH
  }

  /** Keeps the first `keep` heights. The rest becomes a new range in AwaitingDownload. No arrow of its own. */
  cut(keep: number, id: number): Range {
    if (keep < 1 || keep >= this.#count) throw this.#wrong(`cut at ${keep} of ${this.#count}`)
    const state = this.#state
    if (state.status === 'Done') throw this.#wrong('cut')
    if (state.status === 'Downloading' && state.copies.some((copy) => copy.blocks > keep)) {
      throw this.#wrong('cut off received blocks')
    }
    const rest = new Range(id, this.start + keep, this.#count - keep)
    if (state.status === 'AwaitingDownload') rest.#state = state
    rest.#attempts = this.#attempts
    this.#count = keep
    return rest
  }

  /** AwaitingDownload → AwaitingDownload: `peer` failed these heights as part of a larger range. */
  blame(peer: string, at: number): void {
    const state = this.#in('blame', 'AwaitingDownload')
    this.#state = failed(peer, at, state.attempts + 1)
  }

  /** Takes over what the good prefix of a half-checked range weighs. Verifying → Verifying. */
  weigh(bytes: number): void {
    this.#state = { ...this.#in('be weighed', 'Verifying'), bytes }
  }

  copy(request: number): Copy {
    const state = this.#in('look up a request', 'Downloading')
    const copy = state.copies.find((other) => other.request === request)
    if (copy === undefined) throw this.#wrong(`look up request ${request}`)
    return copy
  }

  #in<Status extends RangeStatus>(what: string, status: Status): Extract<RangeState, { status: Status }> {
    if (this.#state.status !== status) throw this.#wrong(what)
    return this.#state as Extract<RangeState, { status: Status }>
  }

  #wrong(what: string): MolochError<'SYNC_WRONG_STATE'> {
    const name = `range ${this.start}…${this.end}`
    return new MolochError('SYNC_WRONG_STATE', `${name} cannot ${what}: it is in ${this.#state.status}`)
  }
}

function failed(peer: string, at: number, attempts: number): Missing {
  return { status: 'AwaitingDownload', failedBy: peer, failedAt: at, attempts }
}
