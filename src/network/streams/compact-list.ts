import { Uint8ArrayList } from 'uint8arraylist'

type Piece = Uint8Array | Uint8ArrayList

/** A smaller piece costs more than its bytes: an object and an entry are some 100 bytes. */
const KEPT_BYTES = 1024
/** What small pieces are gathered in grows with what is there, up to this. */
const MAX_BLOCK_BYTES = 64 << 10

/** What the class has and its type has not; a test holds that it still does. */
interface Inside {
  readonly bufs: Uint8Array[]
}

/**
 * A list of bytes that takes about as much memory as it has bytes, whatever pieces they come in. The plain one keeps each as it
 * came: a peer that sends one byte at a time, each a view of a larger buffer perhaps, fills memory with few bytes.
 */
export class CompactList extends Uint8ArrayList {
  /** Small pieces are copied into it while its used part is the end of the list. */
  #block: Uint8Array | undefined
  #used = 0

  override append(...pieces: Piece[]): void {
    this.appendAll(pieces)
  }

  override appendAll(pieces: Piece[]): void {
    for (const piece of pieces) {
      if (piece instanceof Uint8Array) this.#add(piece)
      else for (const part of piece) this.#add(part)
    }
  }

  override consume(bytes: number): void {
    super.consume(bytes)
    if (this.length === 0) this.#block = undefined
  }

  #add(piece: Uint8Array): void {
    // Also by one that is kept: blocks left half empty between larger pieces would be most of the memory.
    const rest = piece.subarray(this.#fill(piece))
    if (rest.byteLength === 0) return
    if (rest.byteLength >= KEPT_BYTES && rest.byteLength * 2 >= rest.buffer.byteLength) {
      super.appendAll([rest])
      return
    }
    // The first, which most often is taken out at once, has no room for more.
    const bytes = this.length === 0 ? 0 : Math.min(Math.max(this.length, KEPT_BYTES), MAX_BLOCK_BYTES)
    this.#block = new Uint8Array(Math.max(rest.byteLength, bytes))
    this.#block.set(rest)
    this.#used = rest.byteLength
    super.appendAll([this.#block.subarray(0, this.#used)])
  }

  /** @returns how many bytes found room at the end of the last block */
  #fill(piece: Uint8Array): number {
    const block = this.#block
    const { bufs } = this as unknown as Inside
    const last = bufs.at(-1)
    if (block === undefined || last?.buffer !== block.buffer) return 0
    if (last.byteOffset + last.byteLength !== this.#used) return 0
    const part = piece.subarray(0, block.byteLength - this.#used)
    block.set(part, this.#used)
    this.#used += part.byteLength
    bufs[bufs.length - 1] = block.subarray(last.byteOffset, this.#used)
    this.length += part.byteLength
    return part.byteLength
  }
}
