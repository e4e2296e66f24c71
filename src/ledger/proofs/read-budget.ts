/** A row costs this much beside its bytes. */
const ROW_BYTES = 64

/** Bytes of rows that one request may have read for it. What is read of a page that is begun is read to its end. */
export class ReadBudget {
  readonly #bytes: number
  #spent = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  get spent(): number {
    return this.#spent
  }

  get isSpent(): boolean {
    return this.#spent >= this.#bytes
  }

  /** @param bytes of one row */
  spend(bytes: number): void {
    this.#spent += ROW_BYTES + bytes
  }
}
