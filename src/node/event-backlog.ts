/**
 * Bytes of gossiped events that wait for their check, by who answers for them: each validator has room of its own, and all
 * strangers together have one. Who brings more than fits is dropped, and takes nothing of the others' room or time.
 */
import type { ValidatorSet } from '../chain/validators.ts'

/** Some thousands of events, as many as a node gets through in a moment. */
const MOMENT_BYTES = 512 << 10
/** Of all validators; a flood of large messages by those that are faulty. */
const VOUCHED_BYTES = 16 << 20

export class EventBacklog {
  readonly #vouched: number[]
  /** Of one validator. */
  readonly #room: number
  /** What one validator counts at most when it is asked whether this node is behind: f faulty ones alone never are enough. */
  readonly #weight: number
  #unvouched = 0

  constructor({ size, faulty }: Pick<ValidatorSet, 'size' | 'faulty'>) {
    this.#vouched = new Array<number>(size).fill(0)
    this.#room = VOUCHED_BYTES / size
    this.#weight = Math.ceil(MOMENT_BYTES / (faulty + 1))
  }

  /** @param voucher the validator's index; undefined: nobody vouches. A message is let in while there is room, whatever its size */
  hasRoom(voucher: number | undefined): boolean {
    if (voucher === undefined) return this.#unvouched < MOMENT_BYTES
    return (this.#vouched[voucher] as number) < this.#room
  }

  /**
   * Whether more is to be checked, of what validators have accepted, than this node gets through in a moment. What it would
   * take from a caller then it could not give to the others in time either, and consensus needs the threads.
   */
  get isBehind(): boolean {
    return this.#vouched.reduce((sum, bytes) => sum + Math.min(bytes, this.#weight), 0) >= MOMENT_BYTES
  }

  /** @returns to be called when the message is checked */
  add(voucher: number | undefined, bytes: number): () => void {
    this.#count(voucher, bytes)
    return () => this.#count(voucher, -bytes)
  }

  #count(voucher: number | undefined, bytes: number): void {
    if (voucher === undefined) this.#unvouched += bytes
    else this.#vouched[voucher] = (this.#vouched[voucher] as number) + bytes
  }
}
