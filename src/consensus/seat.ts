/** Whether this node signs, and with what: a validator's seat, which an observer does not have. */
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { LedgerPort } from './ports.ts'
import type { Signer } from './signer.ts'

export interface SeatPorts {
  readonly ledger: LedgerPort
  readonly log: Log
  readonly signer: Signer | undefined
  /** False while the node lacks blocks of the last two windows (protocol §3). */
  readonly maySign: () => boolean
  readonly broken: (error: Error) => void
}

export class Seat {
  readonly #ports: SeatPorts
  #broken = false
  #abstains = false

  constructor(ports: SeatPorts) {
    this.#ports = ports
  }

  /** Own index in the genesis, −1 for an observer. */
  get index(): number {
    const { signer, ledger } = this.#ports
    return signer === undefined || this.#broken ? -1 : ledger.genesis.validators.indexOf(signer.publicKey)
  }

  /** The signer, if it may sign at that height. */
  signerAt(height: number): Signer | undefined {
    const { signer, maySign, log } = this.#ports
    if (signer === undefined || this.index < 0) return undefined
    const abstains = !maySign()
    if (abstains !== this.#abstains) {
      this.#abstains = abstains
      const waits = 'this validator signs nothing yet: it lacks blocks of the last two event windows'
      log.info({ height }, abstains ? waits : 'this validator holds two event windows, and signs')
    }
    if (abstains) return undefined
    if (signer.height <= height) return signer
    // The chain was put back, or is being synced anew: what was signed above it is not signed again.
    log.info({ height, signed: signer.height }, 'the signer has signed above this height: it waits for the chain')
    return undefined
  }

  /** Resolves when nothing is being signed. Without that a height that begins anew would miss a lock that is under way. */
  async settled(): Promise<void> {
    await this.#ports.signer?.settled()
  }

  /** The signer takes no more until it is opened again. */
  drop(error: unknown): void {
    if (this.#broken) return
    this.#broken = true
    const reason = messageOf(error)
    this.#ports.log.error({ reason }, 'this validator signs nothing more until it is restarted')
    this.#ports.broken(error instanceof Error ? error : new Error(reason))
  }
}
