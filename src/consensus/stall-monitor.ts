/** Looks at what is waited for, each second, and says so: in the log when it matters, and to whoever asks. */
import type { Params } from '../chain/params.ts'
import type { Log } from '../log.ts'
import type { Sight } from './outlook.ts'
import { standAfterMs } from './pace.ts'
import type { Clock } from './ports.ts'
import { Standing, type StandingNews } from './standing.ts'
import { Timers } from './timers.ts'
import { type ClockFault, describeWaiting, seconds } from './waiting-words.ts'

const LOOK_MS = 1000

/** What is waited for, for people. */
export interface WaitingView {
  /** `VALIDATORS`, `VOTES`, …: what is waited for. */
  readonly code: string
  /** One line. */
  readonly message: string
  /** Unix ms since which it is. */
  readonly since: number
  /** For how long there was no block, ms, if the chain stands: nothing was decided for too long since a block was due. */
  readonly standsMs: number | undefined
}

export interface StallMonitorPorts {
  readonly params: Params
  readonly clock: Clock
  readonly log: Log
  /** For what others can bring about. */
  readonly quiet: Log
  readonly look: () => Sight
}

export class StallMonitor {
  readonly #ports: StallMonitorPorts
  readonly #timers: Timers
  readonly #standing: Standing
  /** Clock faults that the log was told of. */
  #told = new Map<string, string>()

  constructor(ports: StallMonitorPorts) {
    this.#ports = ports
    this.#timers = new Timers(ports.clock)
    this.#standing = new Standing(standAfterMs(ports.params))
  }

  start(): void {
    this.#see()
    this.#timers.set('look', LOOK_MS, () => this.start())
  }

  stop(): void {
    this.#timers.clearAll()
  }

  view(): WaitingView {
    const { clock } = this.#ports
    const sight = this.#see()
    const at = clock.monotonic()
    return {
      code: sight.waiting.for.toUpperCase().replaceAll('-', '_'),
      message: messageOf(sight),
      since: clock.now() - Math.round(at - this.#standing.since),
      standsMs: this.#standing.standsFor(at)
    }
  }

  #see(): Sight {
    const { clock, look } = this.#ports
    const sight = look()
    const news = this.#standing.see(sight.tip, sight.waiting, clock.monotonic())
    if (news !== undefined) this.#tell(news, sight)
    this.#tellClocks(sight.clockFaults)
    return sight
  }

  #tell({ type, forMs }: StandingNews, sight: Sight): void {
    const { log } = this.#ports
    const { tip, waiting } = sight
    if (type === 'ended') log.info({ height: tip }, `blocks go on: ${tip} is final, after ${seconds(forMs)}`)
    else log.warn({ height: tip + 1, waiting }, standsMessage(tip, forMs, messageOf(sight)))
  }

  /** Once when one begins and once when it ends: how far off a clock is changes all the time. */
  #tellClocks(faults: readonly ClockFault[]): void {
    const { quiet } = this.#ports
    const now = new Map(faults.map(({ key, message }) => [key, message]))
    for (const [key, message] of now) if (!this.#told.has(key)) quiet.warn({}, message)
    for (const [key, message] of this.#told) if (!now.has(key)) quiet.info({}, `no longer: ${message}`)
    this.#told = now
  }
}

function messageOf({ waiting, abstention, clockFaults }: Sight): string {
  return [`waits for ${describeWaiting(waiting, abstention)}`, ...clockFaults.map(({ message }) => message)].join('; ')
}

/** For log and readiness. @param forMs for how long there was no block */
export function standsMessage(tip: number, forMs: number, message: string): string {
  return `no block at height ${tip + 1} for ${seconds(forMs)}: ${message}`
}
