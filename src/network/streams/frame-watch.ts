/** A slow link is no fault: for each so many bytes of a frame the time is given again. */
const STEP_BYTES = 256 << 10

/**
 * Tells when a frame that has begun does not come on. Only the time counts in which somebody waits for more, so that our own
 * back-pressure never looks like a slow peer; how long frames are apart is nobody's business.
 */
export class FrameWatch {
  readonly #ms: number
  readonly #onLate: () => void
  #leftMs: number
  #steps = 0
  #since = 0
  #timer: NodeJS.Timeout | undefined
  #late: NodeJS.Immediate | undefined

  constructor(ms: number, onLate: () => void) {
    this.#ms = ms
    this.#leftMs = ms
    this.#onLate = onLate
  }

  /** The rest of a frame is waited for, of which so many bytes are there. */
  wait(bytes: number): void {
    const steps = Math.floor(bytes / STEP_BYTES)
    if (steps > this.#steps) this.#leftMs = this.#ms
    this.#steps = steps
    this.#since = performance.now()
    // After a stall of our own the timer is due before the bytes that have come meanwhile are read: those come first.
    this.#timer = setTimeout(() => {
      this.#late = setImmediate(this.#onLate)
    }, this.#leftMs)
  }

  /** Something has come, or nothing more will. */
  stop(): void {
    if (this.#timer === undefined) return
    this.#leftMs = this.#late === undefined ? this.#leftMs - (performance.now() - this.#since) : this.#ms
    clearTimeout(this.#timer)
    if (this.#late !== undefined) clearImmediate(this.#late)
    this.#timer = undefined
    this.#late = undefined
  }

  /** A frame is whole. */
  whole(): void {
    this.#leftMs = this.#ms
    this.#steps = 0
  }
}
