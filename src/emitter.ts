import { EventEmitter } from 'node:events'

/** A typed event emitter: `class X extends Emitter<{ finalized: [block: Block] }>`. */
export class Emitter<Events extends Record<keyof Events, unknown[]>> {
  readonly #events = new EventEmitter({ captureRejections: false }).setMaxListeners(100)

  /** Adds a listener; call what is returned to remove it. */
  on<Name extends keyof Events & string>(name: Name, listener: (...args: Events[Name]) => void): () => void {
    this.#events.on(name, listener as (...args: unknown[]) => void)
    return () => this.#events.off(name, listener as (...args: unknown[]) => void)
  }

  /** @returns whether anybody listens */
  protected emit<Name extends keyof Events & string>(name: Name, ...args: Events[Name]): boolean {
    return this.#events.emit(name, ...args)
  }
}
