import { Transform, type TransformCallback } from 'node:stream'

const BLOCK_BYTES = 16 << 10

/**
 * A body in blocks, whatever pieces it comes in: kept each by itself, of a body in chunks of one byte every byte is an object of
 * some 130, which no budget of bytes knows of.
 */
export class Gathered extends Transform {
  #block: Buffer | undefined
  #used = 0

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    for (let at = 0; at < chunk.byteLength; ) {
      this.#block ??= Buffer.allocUnsafeSlow(BLOCK_BYTES)
      const copied = chunk.copy(this.#block, this.#used, at)
      at += copied
      this.#used += copied
      if (this.#used === BLOCK_BYTES) this.#give()
    }
    done()
  }

  override _flush(done: TransformCallback): void {
    this.#give()
    done()
  }

  #give(): void {
    if (this.#block !== undefined && this.#used > 0) this.push(this.#block.subarray(0, this.#used))
    this.#block = undefined
    this.#used = 0
  }
}
