/** What a peer's Status said of its clock, held against a monotonic one of ours: so it stays right when ours is set. */
export interface ClockReading {
  /** Monotonic ms (`performance.now()`). */
  readonly at: number
  /** What its clock said then, Unix ms … */
  readonly unix: number
  /** … give or take as much: it was read some time between question and answer. */
  readonly errorMs: number
}

/** How long a more exact reading is kept: clocks drift. */
const KEPT_MS = 60_000

/** @param unix 0: the peer does not say @param sent monotonic ms, as is `received` */
export function readClock(unix: number, sent: number, received: number): ClockReading | undefined {
  return unix === 0 ? undefined : { at: (sent + received) / 2, unix, errorMs: (received - sent) / 2 }
}

/** The new one, unless the old one agrees with it, is about as new and more exact. */
export function betterReading(old: ClockReading | undefined, next: ClockReading | undefined): ClockReading | undefined {
  if (old === undefined || next === undefined) return next ?? old
  const passed = next.at - old.at
  const agree = Math.abs(next.unix - old.unix - passed) <= next.errorMs + old.errorMs
  return agree && next.errorMs > old.errorMs && passed < KEPT_MS ? old : next
}
