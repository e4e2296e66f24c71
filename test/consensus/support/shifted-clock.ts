import { type Clock, systemClock } from '../../../src/consensus/ports.ts'

/** The system's, but wrong by what the test says. */
export class ShiftedClock implements Clock {
  offsetMs: number

  constructor(offsetMs = 0) {
    this.offsetMs = offsetMs
  }

  now(): number {
    return systemClock.now() + this.offsetMs
  }

  monotonic(): number {
    return systemClock.monotonic()
  }

  after(ms: number, run: () => void): () => void {
    return systemClock.after(ms, run)
  }
}
