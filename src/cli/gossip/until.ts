import { EXIT } from '../cli.ts'

const SLICE_MS = 3_600_000
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** What a command that runs until it is told to end waits for. */
export class Until {
  /** Resolves once, with why. */
  readonly end: Promise<string>
  #timer: NodeJS.Timeout | undefined
  #resolve: (why: string) => void = () => {}
  #signals = 0

  /** @param seconds undefined: for ever */
  constructor(seconds: number | undefined) {
    this.end = new Promise((resolve) => {
      this.#resolve = resolve
    })
    for (const signal of SIGNALS) process.on(signal, this.#signalled)
    if (seconds !== undefined) this.#wait(performance.now() + seconds * 1000)
  }

  /** In slices: a timer of Node's reaches 24 days. */
  #wait(until: number): void {
    const left = until - performance.now()
    if (left <= 0) this.now('time')
    else this.#timer = setTimeout(() => this.#wait(until), Math.min(SLICE_MS, left))
  }

  now(why: string): void {
    clearTimeout(this.#timer)
    this.#resolve(why)
  }

  /** Signals are others' again. */
  release(): void {
    clearTimeout(this.#timer)
    for (const signal of SIGNALS) process.off(signal, this.#signalled)
  }

  readonly #signalled = (signal: NodeJS.Signals): void => {
    // Whoever asks twice does not want to wait for the goodbyes.
    if (++this.#signals > 1) process.exit(EXIT.fault)
    this.now(signal)
  }
}
