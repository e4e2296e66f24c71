import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../../error.ts'
import { failurePause } from '../policy/backoff.ts'
import { Certifying, type CertifyingParts } from './certifying.ts'
import { giveWay } from './give-way.ts'
import { historyFault } from './rechecking.ts'
import type { BackfillFault, BackfillPorts } from './types.ts'

/** How often it looks whether it may go on. */
const LOOK_MS = 100

export interface AfterworkParts extends Omit<CertifyingParts, 'ports'> {
  readonly ports: BackfillPorts
  readonly now: () => number
  /** Whether it may go on right now: nothing comes in, and nothing has to be given way to. */
  readonly may: () => boolean
  readonly signal: AbortSignal
  /** The earliest height is lower now. */
  readonly moved: () => void
  readonly done: () => void
  readonly failed: (code: BackfillFault['code'], message: string) => void
  readonly works: (code: BackfillFault['code']) => void
}

/** What is to be done when nothing comes in: certificates from the top down, and at the end the check of the state. */
export class Afterwork {
  readonly #parts: AfterworkParts
  readonly #certifying: Certifying
  #running: Promise<void> | undefined
  #stuck = { rounds: 0, until: 0 }

  constructor(parts: AfterworkParts) {
    this.#parts = parts
    this.#certifying = new Certifying(parts)
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Begins what there is to do. */
  tick(): void {
    const { ports, may, now } = this.#parts
    const { base, earliest, uncertified } = ports.history
    if (this.#running !== undefined || base === undefined || !may() || now() < this.#stuck.until) return
    if (earliest > 1 && uncertified === undefined) return
    const work = earliest > 1 ? this.#certify() : this.#recheck(base)
    this.#running = work
      .catch((error: unknown) => this.#threw(error))
      .finally(() => {
        this.#running = undefined
      })
  }

  async idle(): Promise<void> {
    await this.#running
  }

  async #certify(): Promise<void> {
    const { ports, may, moved, works, signal } = this.#parts
    const { history } = ports
    while (may() && history.earliest > 1) {
      const before = history.earliest
      // A round that throws may have certified some before that.
      const round = await this.#certifying.round(signal).finally(() => {
        if (history.earliest < before) moved()
      })
      if (round === 'nothing') return
      if (round === 'stuck') return this.#isStuck()
      this.#stuck = { rounds: 0, until: 0 }
      works('NO_CERTIFICATE')
      works('VERIFY_FAILED')
      await giveWay()
    }
  }

  #isStuck(): void {
    const { ports, now, may, failed } = this.#parts
    if (!may()) return
    this.#stuck.rounds++
    this.#stuck.until = now() + failurePause(this.#stuck.rounds)
    const height = ports.history.earliest - 1
    failed('NO_CERTIFICATE', `no peer gave a certificate of block ${height} that verifies; more peers help`)
  }

  async #recheck(base: number): Promise<void> {
    const { ports, may, signal, failed, works, done } = this.#parts
    const turn = async (): Promise<void> => {
      while (!may() && !signal.aborted) await pause(LOOK_MS)
      await giveWay()
    }
    const fault = await historyFault({ ...ports, turn }, base, signal)
    if (signal.aborted) return
    if (fault !== undefined) {
      failed('HISTORY_MISMATCH', `${fault}; this database is damaged: stop the node and run \`moloch db verify\``)
      return
    }
    works('VERIFY_FAILED')
    await ports.history.finish()
    done()
  }

  #threw(error: unknown): void {
    const { now, failed } = this.#parts
    const code = (error as { code?: unknown } | undefined)?.code
    const verify = typeof code === 'string' && code.startsWith('VERIFY_')
    if (verify) this.#stuck.until = now() + failurePause(++this.#stuck.rounds)
    failed(verify ? 'VERIFY_FAILED' : 'LEDGER_FAILED', `backfill failed: ${messageOf(error)}`)
  }
}
