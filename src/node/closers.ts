import type { Log } from '../log.ts'

/**
 * What has to be closed when the node stops, in reverse order of adding. A part that fails to close is logged and the
 * others are closed all the same. `waitingFor` names the part that is being closed, for those who wait.
 */
export class Closers {
  readonly #parts: { name: string; close: () => unknown }[] = []
  readonly #log: Log
  #waitingFor: string | undefined
  #closing: Promise<void> | undefined

  constructor(log: Log) {
    this.#log = log
  }

  get waitingFor(): string | undefined {
    return this.#waitingFor
  }

  add(name: string, close: () => unknown): void {
    this.#parts.push({ name, close })
  }

  /** Idempotent: later calls wait for the first. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  async #closeAll(): Promise<void> {
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      this.#waitingFor = part.name
      try {
        await part.close()
      } catch (error) {
        this.#log.error({ err: error, part: part.name }, `could not close ${part.name}`)
      }
    }
    this.#waitingFor = undefined
  }
}
