/** Looks at what is waited for, each second, and says so: in the log when it matters, and to whoever asks. */
import type { Log } from '../log.ts'
import type { Clocks } from './clocks.ts'
import type { Sight } from './outlook.ts'
import type { Clock } from './ports.ts'
import { Standing, type StandingNews } from './standing.ts'
import { Timers } from './timers.ts'
import { type ClockFault, describeWaiting, seconds } from './waiting-words.ts'

const LOOK_MS = 1000

/** What is waited for and what clocks show, for people. */
export interface OutlookView {
  readonly waiting: {
    /** `VALIDATORS`, `VOTES`, …: what is waited for. */
    readonly code: string
    /** One line: "waits for …". */
    readonly message: string
    /** Unix ms since which it is. */
    readonly since: number
    /** For how long there was no block, ms, if the chain stands: nothing was decided for too long since a block was due. */
    readonly standsMs: number | undefined
  }
  readonly clock: {
    /** How far this node's clock is ahead of the validators', by median; undefined: too few of theirs are known. */
    readonly aheadMs: number | undefined
    /** A line each. */
    readonly faults: readonly string[]
  }
}

export interface StallMonitorPorts {
  /** A block may be late for so long, ms, before the chain is said to stand. */
  readonly afterMs: number
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
  /** The validators' clock, less a monotonic one, while ours is known to be wrong. */
  #corrected: number | undefined
  /** Clock faults that the log was told of. */
  #told = new Map<string, string>()

  constructor(ports: StallMonitorPorts) {
    this.#ports = ports
    this.#timers = new Timers(ports.clock)
    this.#standing = new Standing(ports.afterMs)
  }

  start(): void {
    this.#see()
    this.#timers.set('look', LOOK_MS, () => this.start())
  }

  stop(): void {
    this.#timers.clearAll()
  }

  /** Unix ms by the validators' clocks, as far as they are known. */
  validatorsNow(): number {
    const { clock } = this.#ports
    return this.#corrected === undefined ? clock.now() : this.#corrected + clock.monotonic()
  }

  view(): OutlookView {
    const { clock } = this.#ports
    const { waiting, abstention, clocks, clockFaults } = this.#see()
    const at = clock.monotonic()
    return {
      waiting: {
        code: waiting.for.toUpperCase().replaceAll('-', '_'),
        message: `waits for ${describeWaiting(waiting, abstention)}`,
        since: clock.now() - Math.round(at - this.#standing.since),
        standsMs: this.#standing.standsFor(at)
      },
      clock: { aheadMs: ownLead(clocks), faults: clockFaults.map(({ message }) => message) }
    }
  }

  #see(): Sight {
    const { clock, look } = this.#ports
    const sight = look()
    const news = this.#standing.see(sight.tip, sight.waiting, clock.monotonic())
    if (news !== undefined) this.#tell(news, sight)
    this.#tellClocks(sight.clockFaults)
    const { ownAheadMs } = sight.clocks
    this.#corrected = ownAheadMs === 0 ? undefined : clock.now() - ownAheadMs - clock.monotonic()
    return sight
  }

  #tell({ type, forMs }: StandingNews, sight: Sight): void {
    const { log } = this.#ports
    const { tip, waiting } = sight
    if (type === 'ended') log.info({ height: tip }, `blocks go on: ${tip} is final, after ${seconds(forMs)}`)
    else
      log.warn({ height: tip + 1, waiting }, `no block at height ${tip + 1} for ${seconds(forMs)}: ${reasons(sight)}`)
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

function reasons({ waiting, abstention, clockFaults }: Sight): string {
  return [`waits for ${describeWaiting(waiting, abstention)}`, ...clockFaults.map(({ message }) => message)].join('; ')
}

function ownLead({ median }: Clocks): number | undefined {
  if (median === undefined) return undefined
  const lead = Math.round((median.least + median.most) / 2)
  return Number.isFinite(lead) ? 0 - lead : undefined
}
