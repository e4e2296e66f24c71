import { toHex } from '../../../src/codec/bytes.ts'

/** Reads a layout as the protocol writes it, front to back; hashes and keys come as hex. */
export class LayoutReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.byteLength - this.#at
  }

  take(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.left) throw new Error(`${length} bytes wanted, ${this.left} left`)
    this.#at += length
    return this.#bytes.slice(this.#at - length, this.#at)
  }

  rest(): Uint8Array<ArrayBuffer> {
    return this.take(this.left)
  }

  hash(): string {
    return toHex(this.take(32))
  }

  uint(bytes: 1 | 4 | 8): number {
    return Number(BigInt(`0x${toHex(this.take(bytes))}`))
  }

  /** Whether `text` comes next; then it is read. */
  skips(text: string): boolean {
    const found = Buffer.from(this.#bytes.subarray(this.#at, this.#at + text.length)).toString('latin1') === text
    if (found) this.#at += text.length
    return found
  }
}
