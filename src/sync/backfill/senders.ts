interface Sent {
  readonly from: number
  to: number
  readonly peer: string
}

/** Who sent which heights, as long as they are not certified: a bad certificate is found later than it came. */
export class Senders {
  /** Ascending, none over another: there may be very many, and each certified round asks. */
  readonly #sent: Sent[] = []

  /** How many entries it takes. */
  get size(): number {
    return this.#sent.length
  }

  /** A height stays with its first sender: what came second was not stored. */
  add(from: number, to: number, peer: string): void {
    let place = this.#placeOf(from)
    for (let at = from; at <= to; ) {
      const next = this.#sent[place]
      const free = Math.min(to, (next?.from ?? Number.POSITIVE_INFINITY) - 1)
      if (at <= free) place = this.#insert(place, at, free, peer)
      at = (next?.to ?? to) + 1
      place++
    }
  }

  /** Undefined: nobody in this run of the program. */
  find(height: number): string | undefined {
    const sent = this.#sent[this.#placeOf(height)]
    return sent !== undefined && sent.from <= height ? sent.peer : undefined
  }

  /** These and all above are certified. */
  dropFrom(height: number): void {
    for (let last = this.#sent.at(-1); last !== undefined && last.to >= height; last = this.#sent.at(-1)) {
      if (last.from < height) last.to = height - 1
      else this.#sent.pop()
    }
  }

  /** @returns the place of the entry after it */
  #insert(place: number, from: number, to: number, peer: string): number {
    const before = this.#sent[place - 1]
    // A peer that sends one block a frame takes no more room than others.
    if (before?.peer === peer && before.to === from - 1) {
      before.to = to
      return place
    }
    this.#sent.splice(place, 0, { from, to, peer })
    return place + 1
  }

  /** Of the first entry that ends at or above `height`. */
  #placeOf(height: number): number {
    let low = 0
    let high = this.#sent.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#sent[middle] as Sent).to < height) low = middle + 1
      else high = middle
    }
    return low
  }
}
