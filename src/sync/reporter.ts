import type { Log } from '../log.ts'
import type { RangeKind } from './policy/kind.ts'
import { progressLine } from './progress.ts'
import type { Stall, SyncState } from './types.ts'
import { type Diagnosis, Watchdog } from './watchdog.ts'

/** How often the live line is called. */
const LIVE_MS = 1_000
/** How often the log has a line of progress. */
const LOG_MS = 10_000
/** A stall is repeated in the log this often: seen by who looks late, and no flood. */
const STALL_LOG_MS = 60_000
/** Another reason is news, unless it comes and goes. */
const CHANGE_LOG_MS = 10_000

export interface ReporterPorts {
  readonly log: Log
  readonly stallAfterMs: number
  /** What is synced. */
  readonly noun: RangeKind['noun']
  state(): SyncState
  diagnose(at: number): Diagnosis
  /** What is known to be wrong at our own end. */
  fault(): Diagnosis | undefined
  /** @returns whether somebody shows it; the log is spared then */
  progress(state: SyncState, line: string): boolean
  stalled(stall: Stall): void
  resumed(): void
}

/** Says how sync goes, or why it does not: to the log, and to who shows a live line. */
export class Reporter {
  readonly #ports: ReporterPorts
  readonly #watchdog: Watchdog
  #liveAt = 0
  #loggedAt = 0
  #stallLoggedAt = Number.NEGATIVE_INFINITY

  constructor(ports: ReporterPorts) {
    this.#ports = ports
    this.#watchdog = new Watchdog(ports.stallAfterMs)
  }

  get stall(): Stall | undefined {
    return this.#watchdog.stall
  }

  begin(height: number, at: number): void {
    this.#watchdog.reset(height, at)
    this.#liveAt = at
    this.#loggedAt = at
  }

  end(height: number, at: number): void {
    if (this.stall !== undefined) this.#resumed(height)
    this.#watchdog.reset(height, at)
  }

  /** While syncing, a few times a second. */
  tick(at: number): void {
    const state = this.#ports.state()
    this.#watch(state.height, at)
    if (at - this.#liveAt < LIVE_MS) return
    this.#liveAt = at
    const line = progressLine(state, this.#ports.noun)
    if (this.#ports.progress(state, line) || at - this.#loggedAt < LOG_MS) return
    this.#loggedAt = at
    this.#ports.log.info({ height: state.height, target: state.targetHeight }, `sync ${line}`)
  }

  #watch(height: number, at: number): void {
    const change = this.#watchdog.check(height, at, this.#ports.fault(), () => this.#ports.diagnose(at))
    if (change === 'resumed') this.#resumed(height)
    const { stall } = this.#watchdog
    if (stall === undefined) return
    const quietMs = change === 'changed' ? CHANGE_LOG_MS : STALL_LOG_MS
    if (change === 'stalled' || at - this.#stallLoggedAt >= quietMs) {
      this.#stallLoggedAt = at
      this.#ports.log.warn({ code: stall.code, height }, `sync is stalled: ${stall.message}`)
    }
    if (change === 'stalled' || change === 'changed') this.#ports.stalled(stall)
  }

  #resumed(height: number): void {
    this.#ports.log.info({ height }, 'sync goes on')
    this.#ports.resumed()
  }
}
