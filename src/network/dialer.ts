import { hasCode, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { NetworkSettings } from './settings.ts'

/** A place to be connected to. */
interface Target {
  readonly address: string
  /** Known if the address has it, and learnt from the first connection if not. */
  peerId: string | undefined
  /** One of the bootstrap list is never forgotten. */
  readonly bootstrap: boolean
  /** Nobody waits for it: that it can't be reached is no warning. */
  readonly quiet: boolean
  failures: number
  dialing: boolean
  /** Monotonic ms; not before. */
  notBefore: number
  warnedAt: number | undefined
  timer: NodeJS.Timeout | undefined
}

/** A known peer that is no bootstrap peer is given up after this many failures in a row: some ten minutes. */
const MAX_FAILURES = 64
/** A ban may last for years, a timer of Node's not: above 2³¹ ms it fires at once. */
const MAX_TIMER_MS = 3_600_000
/** libp2p's words. Bootstrap lists are often the same file for all nodes, and so name the node itself. */
export const DIAL_SELF = 'dial self'
/** Addresses known at once: against discovery floods. */
const MAX_TARGETS = 512

export type DialerSettings = Pick<NetworkSettings, 'redialFirstMs' | 'redialLastMs' | 'warnEveryMs' | 'refusedMs'>

export interface DialerOptions {
  readonly settings: DialerSettings
  /** @returns the peer id @throws if nobody answers there */
  readonly connect: (address: string, peerId: string | undefined) => Promise<string>
  readonly isConnected: (peerId: string) => boolean
  /** 0 … 1. */
  readonly random: () => number
  /** Monotonic ms. */
  readonly now: () => number
  readonly log: Log
}

/**
 * Keeps us connected to the bootstrap peers and to those we dialled before: exponential backoff with jitter, so that
 * neither a peer that restarts nor both ends of a broken link are stormed.
 */
export class Dialer {
  readonly #options: DialerOptions
  readonly #targets = new Map<string, Target>()
  #running = false

  constructor(options: DialerOptions) {
    this.#options = options
  }

  /** @param address a multiaddr, with or without the peer id @param peerId if it is known */
  add(
    address: string,
    options: { peerId?: string | undefined; bootstrap?: boolean; quiet?: boolean; connected?: boolean } = {}
  ): void {
    if (this.#targets.has(address)) return
    if (this.#targets.size >= MAX_TARGETS && !this.#makeRoom(options.quiet === true)) return
    const target: Target = {
      address,
      peerId: options.peerId,
      bootstrap: options.bootstrap ?? false,
      quiet: options.quiet ?? false,
      failures: 0,
      dialing: false,
      notBefore: 0,
      warnedAt: undefined,
      timer: undefined
    }
    this.#targets.set(address, target)
    if (this.#running && options.connected !== true) this.#schedule(target, 0)
  }

  /** What somebody asked for takes the place of an address that is only tried. @returns whether there is room */
  #makeRoom(quiet: boolean): boolean {
    const tried = quiet ? undefined : [...this.#targets.values()].find((target) => target.quiet)
    if (tried !== undefined) this.#drop(tried)
    return tried !== undefined
  }

  start(): void {
    this.#running = true
    for (const target of this.#targets.values()) this.#schedule(target, 0)
  }

  stop(): void {
    this.#running = false
    for (const target of this.#targets.values()) clearTimeout(target.timer)
  }

  /** The last connection to a peer closed. */
  lost(peerId: string): void {
    for (const target of this.#of(peerId)) this.#schedule(target, this.#backoff(target))
  }

  /** Somebody answered there but no session opened: perhaps another program. As bad as nobody. */
  unanswered(peerId: string, why: string): void {
    if (!this.#running) return
    for (const target of this.#of(peerId)) this.#failed(target, why)
  }

  /** Not dialled again for `ms` (default: what a refusal at Hello costs). */
  holdOff(peerId: string, ms = this.#options.settings.refusedMs): void {
    for (const target of this.#of(peerId)) {
      target.notBefore = Math.max(target.notBefore, this.#options.now() + ms)
      this.#schedule(target, 0)
    }
  }

  /** Dialled again at once, however long it was to be held off. */
  release(peerId: string): void {
    for (const target of this.#of(peerId)) {
      target.notBefore = 0
      this.#schedule(target, 0)
    }
  }

  /** A session with the peer opened: the next failure is the first again, but no new warning if the last is recent. */
  reached(peerId: string): void {
    for (const target of this.#of(peerId)) target.failures = 0
  }

  get size(): number {
    return this.#targets.size
  }

  *#of(peerId: string): Iterable<Target> {
    for (const target of [...this.#targets.values()]) if (target.peerId === peerId) yield target
  }

  #schedule(target: Target, delay: number): void {
    if (!this.#running) return
    clearTimeout(target.timer)
    const wait = Math.max(delay, target.notBefore - this.#options.now())
    target.timer = setTimeout(() => void this.#dial(target), Math.min(MAX_TIMER_MS, wait))
  }

  async #dial(target: Target): Promise<void> {
    target.timer = undefined
    if (target.notBefore > this.#options.now()) {
      this.#schedule(target, 0)
      return
    }
    const connected = target.peerId !== undefined && this.#options.isConnected(target.peerId)
    if (!this.#running || target.dialing || connected) return
    target.dialing = true
    let failure: unknown
    try {
      target.peerId = await this.#options.connect(target.address, target.peerId)
    } catch (error) {
      failure = error
    }
    target.dialing = false
    if (!this.#running || !this.#targets.has(target.address)) return
    // Counted as one failure until its session opens: a peer that takes us and then drops us is not stormed either.
    target.failures += 1
    if (failure === undefined) {
      const gone = target.peerId === undefined || !this.#options.isConnected(target.peerId)
      if (gone) this.#schedule(target, this.#backoff(target))
    } else if (hasCode(failure, 'KEY_IN_USE')) {
      // Said already (own-key.ts), and nothing that time mends.
      this.#schedule(target, this.#options.settings.refusedMs)
    } else {
      this.#failed(target, messageOf(failure))
    }
  }

  #failed(target: Target, why: string): void {
    if (why.includes(DIAL_SELF)) {
      this.#drop(target)
      return
    }
    if (!target.bootstrap && target.failures >= MAX_FAILURES) {
      this.#options.log.debug({ address: target.address }, 'peer given up')
      this.#drop(target)
      return
    }
    const wait = this.#backoff(target)
    this.#warn(target, why)
    this.#schedule(target, wait)
  }

  #warn(target: Target, why: string): void {
    const now = this.#options.now()
    const { warnEveryMs, redialLastMs } = this.#options.settings
    const details = { address: target.address, failures: target.failures }
    if (target.quiet || (target.warnedAt !== undefined && now - target.warnedAt < warnEveryMs)) {
      this.#options.log.debug(details, `not reached: ${why}`)
      return
    }
    // Of a peer that is known under several addresses one line is enough.
    for (const one of target.peerId === undefined ? [target] : this.#of(target.peerId)) one.warnedAt = now
    const kind = target.bootstrap ? 'bootstrap peer' : 'peer'
    const every = `trying again at least every ${Math.ceil((redialLastMs * 1.5) / 1000)} s`
    this.#options.log.warn(details, `${kind} ${target.address} cannot be reached (${why}); ${every}`)
  }

  #backoff(target: Target): number {
    const { redialFirstMs, redialLastMs } = this.#options.settings
    const base = Math.min(redialLastMs, redialFirstMs * 2 ** Math.min(30, Math.max(0, target.failures - 1)))
    return base * (0.5 + this.#options.random())
  }

  #drop(target: Target): void {
    clearTimeout(target.timer)
    this.#targets.delete(target.address)
  }
}
