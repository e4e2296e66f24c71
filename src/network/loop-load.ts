import { type EventLoopUtilization, performance } from 'node:perf_hooks'

/** Shorter windows say more about single callbacks than about load. */
const WINDOW_MS = 50
const STALE_MS = 1000

/**
 * How busy this thread's event loop was in the last moments, 0 … 1. Time in callbacks counts as the wall clock has it: on
 * a machine that others keep busy the loop is as loaded as it feels.
 */
export function loopLoad(): () => number {
  let last: EventLoopUtilization = performance.eventLoopUtilization()
  let takenAt = performance.now()
  let load = 0
  return () => {
    const at = performance.now()
    if (at - takenAt >= WINDOW_MS) {
      const current = performance.eventLoopUtilization()
      // Nobody asked for long: what was then is not now.
      load = at - takenAt > STALE_MS ? 0 : performance.eventLoopUtilization(current, last).utilization
      last = current
      takenAt = at
    }
    return load
  }
}
