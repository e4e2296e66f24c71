import type { Log } from '../log.ts'
import type { Dialer } from './dialer.ts'
import type { KnownPeers } from './known-peers.ts'
import { DISCONNECT_POINTS, type Penalties } from './penalties.ts'
import type { GoodbyeName } from './types.ts'
import { DISCONNECT_HOLD_MS, rulingFor } from './verdicts.ts'

/** The code of a hold that an operator asked for. */
const OPERATOR = 'OPERATOR'

export interface DisciplineOptions {
  readonly known: KnownPeers
  readonly penalties: Penalties
  readonly dialer: Dialer
  readonly disconnect: (peerId: string, reason: GoodbyeName, message: string) => void
  /** Unix ms. */
  readonly now: () => number
  /** For what peers do. */
  readonly faults: Log
  /** For what operators do. */
  readonly log: Log
}

/** Carries out verdicts on peers: those of the table, and those of operators. */
export class Discipline {
  readonly #options: DisciplineOptions

  constructor(options: DisciplineOptions) {
    this.#options = options
  }

  /** @param message what the peer did, one line */
  penalise(peerId: string, code: string, message = code): void {
    const ruling = rulingFor(code)
    if (ruling.verdict === 'ignore') return
    const { known, penalties, faults, now } = this.#options
    const hold = known.holdOn(peerId)
    // Its session is being ended, and what it does until then is no news: a flood must not become one of log lines.
    if (hold?.verdict === 'ban' || (hold !== undefined && ruling.verdict !== 'ban')) return
    const points = penalties.add(peerId, ruling.points, { code, message, at: now() })
    const details = { peer: peerId, code, points: Math.round(points) }
    if (ruling.verdict === 'ban') {
      faults.warn({ ...details, verdict: 'ban' }, `peer banned for ${duration(ruling.holdMs)}: ${message}`)
      this.#hold(peerId, 'ban', code, message, ruling.holdMs)
    } else if (ruling.verdict === 'disconnect' || points >= DISCONNECT_POINTS) {
      faults.warn(
        { ...details, verdict: 'disconnect' },
        `peer disconnected for ${duration(DISCONNECT_HOLD_MS)}: ${message}`
      )
      this.#hold(peerId, 'disconnect', code, message, DISCONNECT_HOLD_MS)
    } else {
      faults.debug({ ...details, verdict: 'penalise' }, `peer penalised: ${message}`)
    }
  }

  /** An operator's word. */
  ban(peerId: string, ms: number, reason: string): void {
    this.#options.log.warn(
      { peer: peerId, code: OPERATOR },
      `peer banned by the operator for ${duration(ms)}: ${reason}`
    )
    this.#hold(peerId, 'ban', OPERATOR, reason, ms)
  }

  /** Lets the peer in again, with a clean slate. @returns whether it was held out */
  unban(peerId: string): boolean {
    const { known, penalties, dialer, log } = this.#options
    const hadPoints = penalties.points(peerId) > 0
    penalties.forget(peerId)
    const held = known.release(peerId)
    if (!held && !hadPoints) return false
    log.info({ peer: peerId }, 'peer unbanned by the operator')
    dialer.release(peerId)
    return true
  }

  /** A peer said goodbye: come back when it may want us again. */
  heard(peerId: string, reason: GoodbyeName): void {
    const { dialer } = this.#options
    if (reason === 'OTHER_CHAIN' || reason === 'BANNED') dialer.holdOff(peerId)
    if (reason === 'TOO_MANY_PEERS' || reason === 'FAULT') dialer.holdOff(peerId, DISCONNECT_HOLD_MS)
  }

  #hold(peerId: string, verdict: 'disconnect' | 'ban', code: string, message: string, ms: number): void {
    const { known, dialer, disconnect, now } = this.#options
    const since = now()
    known.hold(peerId, { verdict, code, message, since, until: since + ms })
    dialer.holdOff(peerId, ms)
    disconnect(peerId, verdict === 'ban' ? 'BANNED' : 'FAULT', code)
  }
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}
