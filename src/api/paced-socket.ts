import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Turns } from './turns.ts'

/** Of a body whose length is not known before its end: little enough that few requests can hide behind that. */
const CHUNKED_PIECE_BYTES = 1024
const NEWLINE = 10
const RETURN = 13

/**
 * A connection that Node's HTTP server gets in pieces: of a request the head, then its body, and nothing of the next before the
 * answer has left. By itself Node parses all that a read brings: 512 connections with 64 KiB of the smallest requests are
 * 1.3 million of them, which held the loop for 17 seconds and took a gigabyte before the first was answered.
 */
export class PacedSocket extends Duplex {
  readonly remoteAddress: string | undefined
  readonly localAddress: string | undefined
  readonly #raw: Socket
  readonly #turns: Turns
  /** Read, and not yet given on. */
  #pending: Buffer = Buffer.alloc(0)
  #ended = false
  /** Whether more is asked for. */
  #wanted = false
  #asked = false
  /** The last one that came. */
  #request: IncomingMessage | undefined
  #atWork = false
  /** Of its body. */
  #bytesLeft = 0
  /** Where the head that comes is. */
  readonly #head = new HeadEnd()

  constructor(raw: Socket, turns: Turns) {
    super({ allowHalfOpen: true })
    this.remoteAddress = raw.remoteAddress
    this.localAddress = raw.localAddress
    this.#raw = raw
    this.#turns = turns
    raw.on('data', (chunk: Buffer) => {
      raw.pause()
      this.#pending = this.#pending.byteLength === 0 ? chunk : Buffer.concat([this.#pending, chunk])
      this.#ask()
    })
    raw.on('end', () => {
      this.#ended = true
      this.#ask()
    })
    raw.on('timeout', () => this.emit('timeout'))
    raw.on('error', (error) => this.destroy(error))
    raw.on('close', () => this.destroy())
  }

  /** Its head has come. @returns false if the one before is not answered yet */
  begins(request: IncomingMessage): boolean {
    if (this.#atWork) return false
    this.#atWork = true
    this.#request = request
    this.#bytesLeft = Number(request.headers['content-length'] ?? 0)
    return true
  }

  /** Its answer has left. */
  answered(): void {
    this.#atWork = false
    this.#ask()
  }

  /** Node calls back when no byte has moved, in or out, for so long. */
  setTimeout(milliseconds: number): this {
    this.#raw.setTimeout(milliseconds)
    return this
  }

  /** As a Socket's: once all is written. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  override _read(): void {
    this.#wanted = true
    this.#ask()
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#raw.write(chunk, done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#raw.cork()
    for (const [i, { chunk }] of chunks.entries()) this.#raw.write(chunk, i === chunks.length - 1 ? done : undefined)
    this.#raw.uncork()
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#raw.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#raw.destroy()
    done(error)
  }

  #ask(): void {
    if (this.#asked) return
    this.#asked = true
    this.#turns.ask(() => {
      this.#asked = false
      this.#give()
    })
  }

  #give(): void {
    // What was given before has to be parsed before it is known what comes now.
    if (!this.#wanted || this.readableLength > 0 || this.destroyed) return
    if (this.#pending.byteLength === 0) {
      if (this.#ended) this.push(null)
      else this.#raw.resume()
      return
    }
    const length = this.#pieceLength()
    if (length === 0) return
    const piece = this.#pending.subarray(0, length)
    this.#pending = this.#pending.subarray(length)
    this.#wanted = false
    this.push(piece)
  }

  #pieceLength(): number {
    const { byteLength } = this.#pending
    if (this.#bytesLeft > 0) {
      const length = Math.min(this.#bytesLeft, byteLength)
      this.#bytesLeft -= length
      return length
    }
    if (this.#request?.complete === false) return Math.min(CHUNKED_PIECE_BYTES, byteLength)
    return this.#atWork ? 0 : this.#head.end(this.#pending)
  }
}

/** Finds the empty line that ends a head, in parts that come one after another. */
class HeadEnd {
  /** 0 before a head, 1 in a line, 2 after its newline, 3 after a return behind that. */
  #state = 0

  /** @returns how much of the part belongs to the head */
  end(part: Uint8Array): number {
    for (let at = 0; at < part.byteLength; at++) {
      const byte = part[at]
      if (byte === NEWLINE) {
        if (this.#state >= 2) {
          this.#state = 0
          return at + 1
        }
        if (this.#state === 1) this.#state = 2
      } else if (byte === RETURN) {
        if (this.#state === 2) this.#state = 3
      } else this.#state = 1
    }
    return part.byteLength
  }
}
