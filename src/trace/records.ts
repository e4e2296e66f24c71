/** Cuts the bytes of a trace, as they come, into events. Everything but what is given in is bounded by one record. */
import type { TraceEvent } from './event.ts'
import { decodeNdjson } from './ndjson.ts'
import { decodeProtobuf } from './protobuf.ts'

/** What is no record, and where: a byte or a line, and the rule it breaks. */
export class BadRecord extends Error {
  readonly place: string

  constructor(place: string, reason: string) {
    super(reason)
    this.place = place
  }
}

export interface Cutter {
  /**
   * The events that these bytes complete; undefined for one of a type that is not known.
   * @throws BadRecord
   */
  push(bytes: Buffer): Generator<TraceEvent | undefined>
  /** When there is no more: what is left is a last record without its line feed, or so many bytes of a torn one. */
  end(): { events: (TraceEvent | undefined)[]; torn: number }
}

/** Bytes as they came, put together only once there are enough: a long record is not copied for each of its pieces. */
class Held {
  #parts: Buffer[] = []
  length = 0

  add(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#parts.push(bytes)
    this.length += bytes.length
  }

  takeAll(): Buffer {
    const all = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts)
    this.#parts = []
    this.length = 0
    return all
  }
}

export class ProtobufCutter implements Cutter {
  readonly #limit: number
  readonly #held = new Held()
  /** What the record that is held has to have before it is looked at again. */
  #needed = 1
  #position = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  *push(bytes: Buffer): Generator<TraceEvent | undefined> {
    this.#held.add(bytes)
    if (this.#held.length < this.#needed) return
    const all = this.#held.takeAll()
    let at = 0
    this.#needed = 1
    for (;;) {
      const start = readLength(all, at)
      if (start === 0) break
      if (length > this.#limit) throw this.#bad(`a record of ${length} bytes; at most ${this.#limit} are accepted`)
      const end = start + length
      if (end > all.length) {
        this.#needed = end - at
        break
      }
      yield this.#decode(all, start, end)
      this.#position += end - at
      at = end
    }
    this.#held.add(all.subarray(at))
  }

  end(): { events: (TraceEvent | undefined)[]; torn: number } {
    return { events: [], torn: this.#held.length }
  }

  #decode(all: Buffer, start: number, end: number): TraceEvent | undefined {
    // A copy: the ids of an event are parts of what it is decoded from, and should not keep its neighbours in memory.
    const message = new Uint8Array(end - start)
    message.set(all.subarray(start, end))
    try {
      return decodeProtobuf(message)
    } catch (error) {
      throw this.#bad(error instanceof Error ? error.message : String(error))
    }
  }

  #bad(reason: string): BadRecord {
    return new BadRecord(`byte ${this.#position}`, reason)
  }
}

// What readLength has read; a result object for each record would cost more than reading it.
let length = 0

/** @returns where the record begins, or 0 if its length is not all there; a length of more than 5 bytes is above any limit */
function readLength(bytes: Buffer, from: number): number {
  length = 0
  let scale = 1
  for (let at = from; at < bytes.length; scale *= 0x80) {
    const byte = bytes[at++] as number
    length += (byte & 0x7f) * scale
    if (byte < 0x80 || at - from > 5) return at
  }
  return 0
}

const LINE_FEED = 0x0a

export class LineCutter implements Cutter {
  readonly #limit: number
  readonly #held = new Held()
  #line = 1

  constructor(limit: number) {
    this.#limit = limit
  }

  *push(bytes: Buffer): Generator<TraceEvent | undefined> {
    let at = 0
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, at)) {
      this.#held.add(bytes.subarray(at, end))
      at = end + 1
      this.#check()
      const text = this.#held.takeAll().toString()
      // Blank lines are between records, not records.
      if (text.trim() !== '') yield this.#decode(text)
      this.#line++
    }
    this.#held.add(bytes.subarray(at))
    this.#check()
  }

  end(): { events: (TraceEvent | undefined)[]; torn: number } {
    const { length } = this.#held
    const text = this.#held.takeAll().toString()
    if (text.trim() === '') return { events: [], torn: 0 }
    try {
      return { events: [this.#decode(text)], torn: 0 }
    } catch {
      return { events: [], torn: length }
    }
  }

  #decode(text: string): TraceEvent | undefined {
    try {
      return decodeNdjson(text)
    } catch (error) {
      throw new BadRecord(`line ${this.#line}`, error instanceof Error ? error.message : String(error))
    }
  }

  #check(): void {
    if (this.#held.length <= this.#limit) return
    throw new BadRecord(`line ${this.#line}`, `a record of more than ${this.#limit} bytes; no more are accepted`)
  }
}

/** How much of a trace decides what it is: a length, and the byte after it. */
export const HEAD_BYTES = 6

const TYPE_TAG = 0x08

/**
 * What a trace with this beginning is; undefined if it is none. A record in protobuf begins with its type, as that is the
 * field with the lowest number.
 */
export function formOf(head: Buffer): 'protobuf' | 'ndjson' | undefined {
  if (head.length === 0) return 'protobuf'
  const start = readLength(head, 0)
  if (start === 0) return 'protobuf'
  if (length > 0 && (start === head.length || head[start] === TYPE_TAG)) return 'protobuf'
  return head.toString('latin1').trimStart().startsWith('{') ? 'ndjson' : undefined
}
