export interface Chunk {
  readonly bytes: Buffer
  used: number
  /** Events that were recorded; a LOST record is none. */
  events: number
}

/**
 * Encoded records on their way to the disk, in chunks of whole records. All chunks that there are, being filled, waiting,
 * being written and spare, take no more than `limit` bytes.
 */
export class TraceBuffer {
  readonly #chunkBytes: number
  readonly #limit: number
  readonly #full: Chunk[] = []
  #filling: Chunk | undefined
  /** Of chunks that were released: what the collector would have to find again counts for as much memory until then. */
  readonly #spares: Buffer[] = []
  #held = 0

  constructor(limit: number, chunkBytes: number) {
    this.#limit = limit
    this.#chunkBytes = Math.min(chunkBytes, limit)
  }

  /** Bytes of the chunks that are not spare. */
  get held(): number {
    return this.#held
  }

  /** Whether a chunk is complete. */
  get hasFull(): boolean {
    return this.#full.length > 0
  }

  /**
   * @param counts whether it is an event that was recorded
   * @returns whether there was room
   */
  add(record: Uint8Array, counts: boolean): boolean {
    let chunk = this.#filling
    if (chunk === undefined || chunk.bytes.length - chunk.used < record.length) {
      chunk = this.#begin(record.length)
      if (chunk === undefined) return false
    }
    chunk.bytes.set(record, chunk.used)
    chunk.used += record.length
    if (counts) chunk.events++
    return true
  }

  /** The oldest chunk that is complete. It is held until it is released. */
  takeFull(): Chunk | undefined {
    return this.#full.shift()
  }

  /** The chunk that is being filled, to be released as well. */
  takeFilling(): Chunk | undefined {
    const chunk = this.#filling
    this.#filling = undefined
    return chunk
  }

  release(chunk: Chunk): void {
    this.#held -= chunk.bytes.length
    if (chunk.bytes.length === this.#chunkBytes) this.#spares.push(chunk.bytes)
  }

  #begin(length: number): Chunk | undefined {
    const size = Math.max(length, this.#chunkBytes)
    // It is complete even if there is no room for another: only writing it makes room.
    if (this.#filling !== undefined) this.#full.push(this.#filling)
    this.#filling = undefined
    if (this.#held + size > this.#limit) return undefined
    const spare = size === this.#chunkBytes ? this.#spares.pop() : undefined
    this.#held += size
    // A longer one may need the room of some that are spare.
    while (this.#held + this.#spares.length * this.#chunkBytes > this.#limit) this.#spares.pop()
    this.#filling = { bytes: spare ?? Buffer.allocUnsafeSlow(size), used: 0, events: 0 }
    return this.#filling
  }
}
