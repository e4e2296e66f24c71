import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { networkError } from '../errors.ts'
import { CompactList } from './compact-list.ts'

export type Chunk = Uint8Array | Uint8ArrayList

/**
 * Unread bytes at which the stream is paused. Against a sender that is faster than our disk or our checks: beside this
 * much, what can still come in is one yamux window (2 MiB), and the sender then waits.
 */
export const HIGH_WATER_BYTES = 512 << 10
/** Unread bytes at which it is resumed: early enough that the sender is not left idle. */
const LOW_WATER_BYTES = 128 << 10

/**
 * A libp2p stream's readable side as an async iterable with back-pressure, which libp2p's own iterators do not have.
 * Make it before the first `await` after getting the stream. One reader; ends with the remote's end of writing.
 */
export class StreamSource implements AsyncIterable<Chunk> {
  /** Called with each chunk as it arrives, read or not. */
  onChunk: (() => void) | undefined
  readonly #stream: Stream
  readonly #unread = new CompactList()
  #ended = false
  #error: unknown
  #wake: (() => void) | undefined
  #resuming = false
  #pauseAfterResume = false

  constructor(stream: Stream) {
    this.#stream = stream
    if (stream.status === 'aborted' || stream.status === 'reset') {
      this.#error = networkError('PEER_CLOSED', 'the stream was closed before it was read')
    } else if (stream.readableEnded && stream.readBufferLength === 0) {
      this.#ended = true
    } else {
      // A stream may have said its only 'end' and have bytes all the same: those that came in one piece with the answer
      // of the protocol negotiation, which pushed them back.
      stream.addEventListener('message', this.#onMessage)
      stream.addEventListener('end', this.#onEnd)
      stream.addEventListener('close', this.#onClose)
    }
  }

  /** Received and not yet read, in this object and in the stream. */
  get bufferedBytes(): number {
    return this.#unread.byteLength + this.#stream.readBufferLength
  }

  /** Ends the iteration with `error`: what is unread is dropped. The stream itself is the owner's to abort. */
  fail(error: unknown): void {
    if (this.#error === undefined) this.#error = error
    this.stop()
    this.#wake?.()
  }

  /** Takes no more from the stream and drops what is unread. */
  stop(): void {
    this.#stream.removeEventListener('message', this.#onMessage)
    this.#stream.removeEventListener('end', this.#onEnd)
    this.#stream.removeEventListener('close', this.#onClose)
    this.#unread.consume(this.#unread.byteLength)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, void, undefined> {
    try {
      for (;;) {
        const [chunk] = this.#unread
        if (chunk !== undefined) {
          this.#unread.consume(chunk.byteLength)
          if (this.#unread.byteLength <= LOW_WATER_BYTES) this.#resume()
          yield chunk
        } else if (this.#error !== undefined) {
          // After the chunks: a peer that says why it refuses and then closes the connection has said why.
          throw this.#error
        } else if (this.#ended) {
          return
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
          this.#wake = undefined
        }
      }
    } finally {
      this.#ended = true
      this.stop()
    }
  }

  readonly #onMessage = (event: StreamMessageEvent): void => {
    this.#unread.append(event.data)
    if (this.#stream.readableEnded && this.#stream.readBufferLength === 0) this.#ended = true
    else if (this.#unread.byteLength >= HIGH_WATER_BYTES) this.#pause()
    this.onChunk?.()
    this.#wake?.()
  }

  readonly #onEnd = (): void => {
    // A reset also says 'end', before the 'close' that has its error.
    if (this.#stream.status === 'aborted' || this.#stream.status === 'reset') return
    this.#ended = true
    this.#wake?.()
  }

  readonly #onClose = (event: StreamCloseEvent): void => {
    if (event.error !== undefined && !this.#ended) this.#error ??= event.error
    // Closed at both ends while paused: what the stream still holds comes with the next resume(), and then 'end'.
    else if (this.#stream.readBufferLength === 0) this.#ended = true
    this.#wake?.()
  }

  #pause(): void {
    // resume() hands over what was buffered before it tells the muxer to go on, and so would undo a pause made here.
    if (this.#resuming) this.#pauseAfterResume = true
    else if (this.#stream.readStatus === 'readable') this.#stream.pause()
  }

  #resume(): void {
    if (this.#stream.readStatus !== 'paused') return
    this.#resuming = true
    try {
      this.#stream.resume()
    } catch {
      // The connection closed while we were paused; the bytes that were buffered have been handed over all the same.
    } finally {
      this.#resuming = false
    }
    if (!this.#pauseAfterResume) return
    this.#pauseAfterResume = false
    this.#pause()
  }
}
