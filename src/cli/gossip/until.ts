import { EXIT } from '../cli.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** What a command that runs until it is told to end waits for. */
export class Until {
  /** Resolves once, with why. */
  readonly end: Promise<string>
  readonly #timer: NodeJS.Timeout | undefined
  #resolve: (why: string) => void = () => {}
  #signals = 0

  /** @param seconds undefined: for ever */
  constructor(seconds: number | undefined) {
    this.end = new Promise((resolve) => {
      this.#resolve = resolve
    })
    for (const signal of SIGNALS) process.on(signal, this.#signalled)
    if (seconds !== undefined) this.#timer = setTimeout(() => this.now('time'), seconds * 1000)
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
