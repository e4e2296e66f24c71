import { networkError } from '../errors.ts'
import { CompactList } from './compact-list.ts'
import type { Chunk } from './source.ts'

/** A frame in a buffer of exactly its length, no part of a pool: it can be kept or transferred. */
export type Frame = Uint8Array<ArrayBuffer>

/** More bytes of a length than any number in protobuf that JavaScript can count to. */
const MAX_LENGTH_BYTES = 8

/** Takes frames, each after its length as a varint, out of the bytes of a stream. */
export class FrameDecoder {
  readonly #maxBytes: number
  readonly #bytes = new CompactList()
  /** Of the frame that has begun, when that is known. */
  #length: number | undefined

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  push(chunk: Chunk): void {
    this.#bytes.append(chunk)
  }

  /** Whether there is a part of a frame, once `next` has found no whole one. */
  get begun(): boolean {
    return this.#length !== undefined || this.#bytes.byteLength > 0
  }

  get heldBytes(): number {
    return this.#bytes.byteLength
  }

  /** @returns undefined if no frame is whole @throws MolochError FRAME_TOO_LARGE | BAD_FRAME */
  next(): Frame | undefined {
    this.#length ??= this.#takeLength()
    if (this.#length === undefined || this.#bytes.byteLength < this.#length) return undefined
    const frame = new Uint8Array(this.#length)
    let at = 0
    for (const part of this.#bytes.sublist(0, this.#length)) {
      frame.set(part, at)
      at += part.byteLength
    }
    this.#bytes.consume(this.#length)
    this.#length = undefined
    return frame
  }

  /** The input has ended. @throws MolochError PEER_CLOSED */
  end(): void {
    if (this.begun) throw networkError('PEER_CLOSED', 'the stream ended in the middle of a frame')
  }

  #takeLength(): number | undefined {
    let length = 0
    for (let at = 0; at < this.#bytes.byteLength; at += 1) {
      if (at === MAX_LENGTH_BYTES) throw networkError('BAD_FRAME', 'the length of a frame does not end')
      const byte = this.#bytes.get(at)
      length += (byte % 128) * 128 ** at
      if (byte >= 128) continue
      if (byte === 0 && at > 0) throw networkError('BAD_FRAME', 'the length of a frame is not in its shortest form')
      if (length > this.#maxBytes) {
        throw networkError('FRAME_TOO_LARGE', `a frame of ${length} bytes; accepted: up to ${this.#maxBytes}`)
      }
      this.#bytes.consume(at + 1)
      return length
    }
    return undefined
  }
}
