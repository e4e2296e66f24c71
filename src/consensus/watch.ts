/** Looks at whether the chain moves: asks for votes when a height does not, and says so when it has not for long. */
import type { Log } from '../log.ts'
import type { Height } from './height.ts'
import { roundMs } from './pace.ts'
import type { Clock, LedgerPort } from './ports.ts'
import { describeStall, STALL_REPORT_MS, stallReport } from './stall.ts'
import { Timers } from './timers.ts'

/** A full timeout is long enough to wait in the first rounds; a height in its tenth should not wait minutes. */
const MAX_ASK_INTERVAL_MS = 10_000

export interface WatchPorts {
  readonly ledger: LedgerPort
  readonly clock: Clock
  readonly log: Log
  readonly height: () => Height | undefined
  readonly ask: () => void
}

export class Watch {
  readonly #ports: WatchPorts
  readonly #timers: Timers

  constructor(ports: WatchPorts) {
    this.#ports = ports
    this.#timers = new Timers(ports.clock)
  }

  start(): void {
    this.#progress('')
    this.#stall(this.#ports.ledger.tip.height, this.#ports.clock.monotonic())
  }

  stop(): void {
    this.#timers.clearAll()
  }

  /** Every full timeout in which neither height, round nor step changed, votes may have been lost. */
  #progress(before: string): void {
    const { ledger, ask } = this.#ports
    const height = this.#ports.height()
    const { round, step } = height?.machine ?? { round: 0, step: '' }
    const now = `${height?.height}/${round}/${step}`
    if (now === before && height?.isWaiting === false) ask()
    const interval = Math.min(roundMs(ledger.genesis.params, round), MAX_ASK_INTERVAL_MS)
    this.#timers.set('progress', interval, () => this.#progress(now))
  }

  #stall(tip: number, since: number): void {
    this.#timers.set('stall', STALL_REPORT_MS, () => {
      const { ledger, clock, log } = this.#ports
      const height = this.#ports.height()
      if (ledger.tip.height !== tip || height === undefined) {
        this.#stall(ledger.tip.height, clock.monotonic())
        return
      }
      if (!height.isWaiting) {
        const report = stallReport(height.machine, ledger.genesis.validators)
        log.warn({ ...report }, describeStall(report, Math.round((clock.monotonic() - since) / 1000)))
      }
      this.#stall(tip, since)
    })
  }
}
