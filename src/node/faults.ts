export interface Fault {
  readonly code: string
  readonly message: string
}

/** What makes this node useless until somebody looks at it. The first fault stays: what follows is mostly its doing. */
export class FaultBoard {
  #first: Fault | undefined
  #halt: Fault | undefined

  get worst(): Fault | undefined {
    return this.#halt ?? this.#first
  }

  /** Why this node takes part in nothing any more; undefined: it does. */
  get halt(): Fault | undefined {
    return this.#halt
  }

  raise(code: string, message: string): void {
    this.#first ??= { code, message }
  }

  /** The chain goes no further here. */
  raiseHalt(code: string, message: string): void {
    this.#halt ??= { code, message }
  }
}
