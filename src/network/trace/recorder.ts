import { messageOf } from '../../error.ts'
import type { Log } from '../../log.ts'
import type { TraceEvent } from '../../trace/event.ts'

export type TraceSink = (event: TraceEvent) => void

/** Makes the events of one happening, all of the same time. */
export type Note = (emit: TraceSink, timestamp: bigint) => void

/** A sink that fails is said so often. */
const WARN_EVERY_MS = 60_000
/** So many notes wait at most; a thousand events take a millisecond or two. */
const MAX_NOTES = 256
/** What they may keep from being collected: against peers that send much, over and over. */
const MAX_HELD_BYTES = 8 << 20

// The wall clock as it was when the process began, in whole µs: as nanoseconds it would not fit a double.
const ORIGIN_NS = BigInt(Math.round(performance.timeOrigin * 1e3)) * 1000n

/** Unix time in ns that never steps back: the wall clock at the start of the process and the monotonic clock since. */
function toNs(ms: number): bigint {
  return ORIGIN_NS + BigInt(Math.round(ms * 1e6))
}

export interface RecorderOptions {
  readonly self: Uint8Array
  readonly sink: TraceSink
  /** How long a note may wait for others. 0: not at all. */
  readonly batchMs: number
  readonly log: Log
}

/**
 * Between gossipsub and the sink: nothing that goes wrong on this side reaches the other.
 *
 * While gossipsub works, only a note is taken of what happens. Notes become events many at once: one by one, a few hundred a
 * second, each would find all of its code gone from the processor's caches, which is ten times the work itself.
 */
export class Recorder {
  readonly self: Uint8Array
  readonly #sink: TraceSink
  readonly #batchMs: number
  readonly #log: Log
  readonly #times = new Float64Array(MAX_NOTES)
  #notes: Note[] = []
  #heldBytes = 0
  #timer: NodeJS.Timeout | undefined
  #last = 0n
  #failures = 0
  #warnedAt = Number.NEGATIVE_INFINITY

  constructor({ self, sink, batchMs, log }: RecorderOptions) {
    this.self = self
    this.#sink = sink
    this.#batchMs = batchMs
    this.#log = log
  }

  start(): void {
    this.#timer ??= setInterval(() => this.flush(), Math.max(this.#batchMs, 1)).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.flush()
  }

  /**
   * @param note called later: what it uses must be then as it is now
   * @param at when it happened, by performance.now()
   * @param bytes what the note keeps in memory and nobody else does
   */
  record(note: Note, at = performance.now(), bytes = 0): void {
    const count = this.#notes.push(note)
    this.#times[count - 1] = at
    this.#heldBytes += bytes
    // Before the start and after the stop nobody else does it.
    if (count === MAX_NOTES || this.#heldBytes > MAX_HELD_BYTES || this.#timer === undefined || this.#batchMs === 0) {
      this.flush()
    }
  }

  /** Hands over what was noted. */
  flush(): void {
    const notes = this.#notes
    this.#notes = []
    this.#heldBytes = 0
    for (let i = 0; i < notes.length; i++) {
      const time = toNs(this.#times[i] as number)
      // In the order of the notes; something that began before may be noted after.
      if (time > this.#last) this.#last = time
      try {
        notes[i]?.(this.#sink, this.#last)
      } catch (error) {
        this.#failed(error)
      }
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
