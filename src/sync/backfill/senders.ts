/** Who sent which heights, as long as they are not certified: a bad certificate is found later than it came. */
export class Senders {
  #sent: { readonly from: number; readonly to: number; readonly peer: string }[] = []

  add(from: number, to: number, peer: string): void {
    this.#sent.push({ from, to, peer })
  }

  /** Undefined: nobody in this run of the program. */
  find(height: number): string | undefined {
    return this.#sent.find(({ from, to }) => from <= height && height <= to)?.peer
  }

  /** These and all above are certified. */
  dropFrom(height: number): void {
    this.#sent = this.#sent.filter(({ from }) => from < height)
  }
}
