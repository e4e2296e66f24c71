/** Looks at whether the chain moves: asks for votes when a height does not. */
import type { Height } from './height.ts'
import { roundMs } from './pace.ts'
import type { Clock, LedgerPort } from './ports.ts'
import { Timers } from './timers.ts'

/** A full timeout is long enough to wait in the first rounds; a height in its tenth should not wait minutes. */
const MAX_ASK_INTERVAL_MS = 10_000

export interface WatchPorts {
  readonly ledger: LedgerPort
  readonly clock: Clock
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
}
