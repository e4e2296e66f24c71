/** Whether this node signs, and with what: a validator's seat, which an observer does not have. */
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { type Abstention, describeAbstention } from './abstention.ts'
import type { Clock, LedgerPort } from './ports.ts'
import type { Signer } from './signer.ts'
import { Timers } from './timers.ts'

/** A clock may be set while the genesis's time is waited for: it is looked at this often. */
const MAX_WAIT_MS = 10_000

export interface SeatPorts {
  readonly ledger: LedgerPort
  readonly clock: Clock
  readonly log: Log
  readonly signer: Signer | undefined
  /** False while the node lacks blocks of the last two windows (protocol §3). */
  readonly maySign: () => boolean
  /** What was waited for is here: the height is to begin again. */
  readonly free: () => void
  readonly broken: (error: Error) => void
}

export class Seat {
  readonly #ports: SeatPorts
  readonly #timers: Timers
  #broken: string | undefined
  /** The last that the log was told of. */
  #told: Abstention['reason'] | undefined

  constructor(ports: SeatPorts) {
    this.#ports = ports
    this.#timers = new Timers(ports.clock)
  }

  /** Own index in the genesis, −1 for an observer. */
  get index(): number {
    return this.#broken === undefined ? this.validator : -1
  }

  /** The same, also after the signer broke. */
  get validator(): number {
    const { signer, ledger } = this.#ports
    return signer === undefined ? -1 : ledger.genesis.validators.indexOf(signer.publicKey)
  }

  /** Why nothing is signed at the next height; undefined: it is, or this is an observer. */
  get abstention(): Abstention | undefined {
    return this.#abstentionAt(this.#ports.ledger.tip.height + 1)
  }

  /** The signer, if it may sign at that height. */
  signerAt(height: number): Signer | undefined {
    const { signer } = this.#ports
    if (signer === undefined || this.index < 0) return undefined
    const abstention = this.#abstentionAt(height)
    this.#tell(height, abstention)
    if (abstention === undefined) return signer
    if (abstention.reason === 'genesis-time') this.#awaitTime(abstention.until)
    return undefined
  }

  /** Resolves when nothing is being signed. Without that a height that begins anew would miss a lock that is under way. */
  async settled(): Promise<void> {
    await this.#ports.signer?.settled()
  }

  /** The signer takes no more until it is opened again. */
  drop(error: unknown): void {
    if (this.#broken !== undefined) return
    this.#broken = messageOf(error)
    this.#ports.log.error({ reason: this.#broken }, 'this validator signs nothing more until it is restarted')
    this.#ports.broken(error instanceof Error ? error : new Error(this.#broken))
  }

  stop(): void {
    this.#timers.clearAll()
  }

  #abstentionAt(height: number): Abstention | undefined {
    const { signer, ledger, clock, maySign } = this.#ports
    if (signer === undefined) return undefined
    if (this.#broken !== undefined) return { reason: 'broken', message: this.#broken }
    const { timestamp } = ledger.genesis
    if (height === 1 && clock.now() < timestamp) return { reason: 'genesis-time', until: timestamp }
    if (!maySign()) return { reason: 'window' }
    if (signer.height > height) return { reason: 'signed-above', signed: signer.height }
    return undefined
  }

  #tell(height: number, abstention: Abstention | undefined): void {
    if (abstention?.reason === this.#told) return
    this.#told = abstention?.reason
    const words = abstention === undefined ? 'signs again' : describeAbstention(abstention)
    this.#ports.log.info({ height, ...abstention }, `this validator ${words}`)
  }

  #awaitTime(until: number): void {
    const { clock, free } = this.#ports
    const left = until - clock.now()
    this.#timers.set('genesis', Math.min(Math.max(0, left), MAX_WAIT_MS), () => {
      if (clock.now() < until) this.#awaitTime(until)
      else free()
    })
  }
}
