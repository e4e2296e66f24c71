interface Half {
  readonly bytes: number
  readonly drop: () => void
}

/**
 * What has come of frames that are not whole yet, of many streams together. Where it is too much, the one that began first is
 * dropped: an honest peer's is soon whole, and whoever wants to fill memory has to keep theirs open.
 */
export class HalfFrames {
  readonly #maxBytes: number
  /** Those that began first are first. */
  readonly #open = new Map<object, Half>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Of the stream's frame there are now so many bytes. @param drop called when they are to be given up */
  set(stream: object, bytes: number, drop: () => void): void {
    this.#bytes += bytes - (this.#open.get(stream)?.bytes ?? 0)
    this.#open.set(stream, { bytes, drop })
    while (this.#bytes > this.#maxBytes) {
      const [first] = this.#open as Iterable<[object, Half]>
      if (first === undefined) return
      this.delete(first[0])
      first[1].drop()
    }
  }

  /** It is whole, or the stream has ended. */
  delete(stream: object): void {
    this.#bytes -= this.#open.get(stream)?.bytes ?? 0
    this.#open.delete(stream)
  }
}
