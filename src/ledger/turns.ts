import { MolochError } from '../error.ts'

/** Work that is done one after another: each sees what the one before has written. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  get isClosed(): boolean {
    return this.#closed
  }

  /** Does it after what was asked for before, whatever came of that. @throws MolochError LEDGER_CLOSED; what `work` throws */
  async take<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw new MolochError('LEDGER_CLOSED', 'the ledger is closed')
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }

  /** Takes no more. @returns when what was asked for is done */
  async close(): Promise<void> {
    this.#closed = true
    await this.#last
  }
}
