export interface Fault {
  readonly code: string
  readonly message: string
}

/** What makes this node useless until somebody looks at it. The first fault stays: what follows is mostly its doing. */
export class FaultBoard {
  #first: Fault | undefined

  get worst(): Fault | undefined {
    return this.#first
  }

  raise(code: string, message: string): void {
    this.#first ??= { code, message }
  }
}
