import { createReadStream } from 'node:fs'
import { MolochError, messageOf } from '../error.ts'
import type { TraceEvent } from './event.ts'
import { MAX_RECORD_BYTES } from './format.ts'
import { BadRecord, type Cutter, formOf, HEAD_BYTES, LineCutter, ProtobufCutter } from './records.ts'
import { gunzip } from './zlib-pump.ts'

export interface TraceReaderOptions {
  /** Default: 4 MiB. */
  readonly maxRecordBytes?: number
}

const ACCEPTED =
  'accepted are traces of go-libp2p-pubsub: length-delimited protobuf or NDJSON, either of them gzipped or not'

// What comes out of gzip for one piece is in memory at once, and may be a thousand times as much.
const PIECE_BYTES = 16 << 10

/**
 * The events of one file, in its order; which of the forms it has is seen from its content. Its memory is that of a few
 * records, however long the file is.
 * @throws MolochError TRACE_UNREADABLE, or TRACE_MALFORMED for a file that is no trace or is damaged; not for one that only
 * ends too early, as it does when the node was killed or still writes
 */
export class TraceReader implements AsyncIterable<TraceEvent> {
  readonly path: string
  readonly #limit: number
  #skipped = 0
  #torn: number | undefined

  constructor(path: string, options: TraceReaderOptions = {}) {
    this.path = path
    this.#limit = options.maxRecordBytes ?? MAX_RECORD_BYTES
  }

  /** Records of types that are not known here. */
  get skipped(): number {
    return this.#skipped
  }

  /**
   * Once all is read: of a file that ends within a record or within its compression, the bytes at its end that are no whole
   * record; undefined if it is whole.
   */
  get torn(): number | undefined {
    return this.#torn
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TraceEvent> {
    this.#skipped = 0
    this.#torn = undefined
    const pieces = contentOf(this.path)
    let cutter: Cutter | undefined
    try {
      let next = await pieces.next()
      for (; next.done !== true; next = await pieces.next()) {
        cutter ??= this.#cutterOf(next.value)
        for (const event of cutter.push(next.value)) {
          if (event === undefined) this.#skipped++
          else yield event
        }
      }
      const { events, torn } = cutter?.end() ?? { events: [], torn: 0 }
      for (const event of events) {
        if (event === undefined) this.#skipped++
        else yield event
      }
      const isWhole = next.value
      if (torn > 0 || !isWhole) this.#torn = torn
    } catch (error) {
      throw this.#explain(error)
    } finally {
      await pieces.return(true)
    }
  }

  #cutterOf(head: Buffer): Cutter {
    const form = formOf(head)
    if (form === 'protobuf') return new ProtobufCutter(this.#limit)
    if (form === 'ndjson') return new LineCutter(this.#limit)
    throw new BadRecord('its beginning', 'no record of a trace begins like that')
  }

  #explain(error: unknown): unknown {
    const details = { path: this.path }
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall !== undefined) {
      const what = `cannot read ${this.path}: ${messageOf(error)}; a file that can be read is accepted`
      return new MolochError('TRACE_UNREADABLE', what, details, { cause: error })
    }
    const isZlib = code?.startsWith('Z_') === true
    if (!isZlib && !(error instanceof BadRecord)) return error
    const place = isZlib ? 'its compression' : (error as BadRecord).place
    const what = `${this.path} is no trace, or a damaged one, at ${place}: ${messageOf(error)}; ${ACCEPTED}`
    return new MolochError('TRACE_MALFORMED', what, details, { cause: error })
  }
}

/**
 * What the file has, unpacked; the first piece is enough to see its form, if there is as much.
 * @returns whether the file was whole, as far as its compression says
 */
async function* contentOf(path: string): AsyncGenerator<Buffer, boolean> {
  const stream = createReadStream(path, { highWaterMark: PIECE_BYTES })
  try {
    const file = withHead(stream[Symbol.asyncIterator]() as AsyncGenerator<Buffer, undefined>)
    const first = await file.next()
    if (first.done === true) return true
    const all = resumed(first.value, file)
    const isGzip = first.value[0] === 0x1f && first.value[1] === 0x8b
    return isGzip ? yield* withHead(gunzip(all)) : ((yield* all) ?? true)
  } finally {
    stream.destroy()
  }
}

async function* withHead<Result>(pieces: AsyncGenerator<Buffer, Result>): AsyncGenerator<Buffer, Result> {
  try {
    let head = Buffer.alloc(0)
    let next = await pieces.next()
    for (; next.done !== true && head.length < HEAD_BYTES; next = await pieces.next()) {
      head = Buffer.concat([head, next.value])
    }
    if (head.length > 0) yield head
    for (; next.done !== true; next = await pieces.next()) yield next.value
    return next.value
  } finally {
    await pieces.return(undefined as Result)
  }
}

async function* resumed<Result>(first: Buffer, rest: AsyncGenerator<Buffer, Result>): AsyncGenerator<Buffer, Result> {
  yield first
  return yield* rest
}
