import type { Scheduler } from './scheduler.ts'
import type { Stall, StallCode } from './types.ts'

export interface Diagnosis {
  readonly code: StallCode
  readonly message: string
}

/** Notices that sync is behind and nothing is written. Pure: times are given. */
export class Watchdog {
  readonly #stallAfterMs: number
  #height = 0
  #movedAt = 0
  #stall: Stall | undefined

  constructor(stallAfterMs: number) {
    this.#stallAfterMs = stallAfterMs
  }

  get stall(): Stall | undefined {
    return this.#stall
  }

  /** Sync (re)starts: the time before does not count. */
  reset(height: number, at: number): void {
    this.#height = height
    this.#movedAt = at
    this.#stall = undefined
  }

  /**
   * @param fault what is known to be wrong here; it need not be waited for
   * @returns what changed
   */
  check(
    height: number,
    at: number,
    fault: Diagnosis | undefined,
    find: () => Diagnosis
  ): 'stalled' | 'changed' | 'resumed' | undefined {
    if (height !== this.#height) {
      const before = this.#stall
      this.reset(height, at)
      return before === undefined ? undefined : 'resumed'
    }
    if (fault === undefined && at - this.#movedAt < this.#stallAfterMs) return undefined
    const found = fault ?? find()
    const before = this.#stall
    this.#stall = { since: Math.floor(this.#movedAt), ...found }
    if (before === undefined) return 'stalled'
    return before.code === found.code ? undefined : 'changed'
  }
}

/** Why the next height does not come, and what would help. */
export function diagnose(scheduler: Scheduler, at: number): Diagnosis {
  const height = scheduler.tip + 1
  const missing = `${scheduler.kind.noun} ${height} of ${scheduler.target}`
  const { peers } = scheduler
  if (peers.size === 0) {
    return {
      code: 'NO_PEERS',
      message: `no peer to fetch ${missing} from; check the bootstrap addresses and the network`
    }
  }
  const state = scheduler.ranges.find((range) => range.start <= height && height <= range.end)?.state
  if (state?.status === 'Downloading') {
    // Once it has failed there, that it is being retried is no news, and none of our own machine.
    if (state.before.attempts === 0) {
      return {
        code: 'NO_PROGRESS',
        message: `${missing} is in Downloading for long, at ${state.copies.length} of ${peers.size} peers; faster ones would help`
      }
    }
  } else if (state !== undefined && state.status !== 'AwaitingDownload') {
    return {
      code: 'NO_PROGRESS',
      message: `${missing} is in ${state.status} for long; check this machine's load and disk`
    }
  }
  const holders = scheduler.holders(height, at)
  const barred = [...peers].filter((peer) => peer.barred(at) && peer.holds(height))
  if (holders.length === 0 && barred.length > 0) {
    const codes = [...new Set(barred.map((peer) => peer.lastFailure))].join(', ')
    const wait = Math.ceil((Math.min(...barred.map((peer) => peer.barredUntil)) - at) / 1000)
    const message = `${barred.length} of ${peers.size} peers have ${missing} and sent bad data (${codes}): the first is asked again in ${wait} s`
    return { code: 'PEERS_FAILING', message: `${message}; an honest peer would help, or \`moloch peers unban\`` }
  }
  if (holders.length === 0) {
    const lowest = Math.min(...[...peers].map((peer) => peer.earliest))
    const why = lowest > height ? `: the oldest ${scheduler.kind.noun} they keep is ${lowest}` : ''
    return {
      code: 'NO_SOURCE',
      message: `none of ${peers.size} peers serves ${missing}${why}; a peer that does would help`
    }
  }
  const reasons = [...new Set(holders.map((peer) => peer.lastFailure ?? 'busy'))].join(', ')
  if (holders.every((peer) => peer.lastFailure === 'RATE_LIMITED')) {
    const wait = Math.max(0, Math.min(...holders.map((peer) => peer.notBefore)) - at)
    const message = `all ${holders.length} peers that hold ${missing} limit us, for ${Math.ceil(wait / 1000)} s more`
    return { code: 'RATE_LIMITED', message: `${message}; more peers would help` }
  }
  return {
    code: 'PEERS_FAILING',
    message: `${holders.length} peers that hold ${missing} fail (${reasons}); they are retried, other peers would help`
  }
}
