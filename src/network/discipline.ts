import type { Log } from '../log.ts'
import type { Dialer } from './dialer.ts'
import type { Gater } from './gater.ts'
import type { NetworkSettings } from './settings.ts'
import type { GoodbyeName, PeerVerdict } from './types.ts'
import { DISCONNECT_POINTS, type Penalties, verdictFor } from './verdicts.ts'

/** A peer that we disconnected for a fault is not dialled again for this long, nor one that did so to us. */
const FAULT_HOLD_MS = 60_000

export interface DisciplineOptions {
  readonly settings: Pick<NetworkSettings, 'banMs'>
  readonly gater: Gater
  readonly penalties: Penalties
  readonly dialer: Dialer
  readonly disconnect: (peerId: string, reason: GoodbyeName, message: string) => void
  readonly log: Log
}

/** Carries out verdicts on peers. */
export class Discipline {
  readonly #options: DisciplineOptions

  constructor(options: DisciplineOptions) {
    this.#options = options
  }

  /** @param verdict undefined: what the table has for the code @param message for the log */
  penalise(peerId: string, code: string, verdict: PeerVerdict = verdictFor(code), message = code): void {
    if (verdict === 'ignore') return
    const { gater, dialer, settings, log } = this.#options
    const details = { peer: peerId, code, verdict }
    const points = this.#options.penalties.add(peerId)
    if (verdict === 'ban') {
      gater.ban(peerId)
      dialer.holdOff(peerId, settings.banMs)
      log.info(details, `peer banned: ${message}`)
      this.#options.disconnect(peerId, 'BANNED', code)
    } else if (verdict === 'disconnect' || points >= DISCONNECT_POINTS) {
      dialer.holdOff(peerId, FAULT_HOLD_MS)
      log.info(details, `peer disconnected: ${message}`)
      this.#options.disconnect(peerId, 'FAULT', code)
    } else {
      log.debug(details, `peer penalised: ${message}`)
    }
  }

  /** A peer said goodbye: come back when it may want us again. */
  heard(peerId: string, reason: GoodbyeName): void {
    const { dialer } = this.#options
    if (reason === 'OTHER_CHAIN' || reason === 'BANNED') dialer.holdOff(peerId)
    if (reason === 'TOO_MANY_PEERS' || reason === 'FAULT') dialer.holdOff(peerId, FAULT_HOLD_MS)
  }
}
