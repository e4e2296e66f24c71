import { messageOf } from '../../error.ts'
import type { Log } from '../../log.ts'
import type { TraceEvent } from '../../trace/event.ts'

export type TraceSink = (event: TraceEvent) => void

/** A sink that fails is said so often. */
const WARN_EVERY_MS = 60_000

// The wall clock as it was when the process began, in whole µs: as nanoseconds it would not fit a double.
const ORIGIN_NS = BigInt(Math.round(performance.timeOrigin * 1e3)) * 1000n

/** Unix time in ns that never steps back: the wall clock at the start of the process and the monotonic clock since. */
export function nowNs(): bigint {
  return ORIGIN_NS + BigInt(Math.round(performance.now() * 1e6))
}

/** Between gossipsub and the sink: nothing that goes wrong on this side reaches the other. */
export class Recorder {
  readonly self: Uint8Array
  readonly #sink: TraceSink
  readonly #log: Log
  #last = 0n
  #failures = 0
  #warnedAt = Number.NEGATIVE_INFINITY

  constructor(self: Uint8Array, sink: TraceSink, log: Log) {
    this.self = self
    this.#sink = sink
    this.#log = log
  }

  /** The time of an event, `since` or now; never before that of the event recorded last. */
  time(since = nowNs()): bigint {
    if (since > this.#last) this.#last = since
    return this.#last
  }

  /** Records what `events` emits; it stops at its first failure. */
  record(events: (emit: TraceSink) => void): void {
    try {
      events(this.#sink)
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    this.#failures++
    const now = performance.now()
    if (now - this.#warnedAt < WARN_EVERY_MS) return
    this.#warnedAt = now
    this.#log.warn({ error: messageOf(error), failures: this.#failures }, 'gossip could not be traced')
  }
}
