import type { Pledge } from './types.ts'

/** What a validator is bound to, and what it offers again when its turn comes. */
export class Pledges {
  locked: Pledge | undefined
  valid: Pledge | undefined

  /** −1: there is no valid value. */
  get validRound(): number {
    return this.valid?.round ?? -1
  }

  /** What is offered again in that round. After a restart the log may know of a later one than we are in. */
  validBefore(round: number): Pledge | undefined {
    return this.validRound < round ? this.valid : undefined
  }

  /** Whether the lock lets a proposal be prevoted. @param validRound −1: it is a fresh one */
  allows(hash: string, validRound: number): boolean {
    const { locked } = this
    return locked === undefined || locked.hash === hash || (validRound >= 0 && locked.round <= validRound)
  }

  /** Whether a block is one of the two. */
  has(hash: string): boolean {
    return this.locked?.hash === hash || this.valid?.hash === hash
  }
}
