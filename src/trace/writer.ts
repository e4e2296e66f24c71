import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { type Chunk, TraceBuffer } from './buffer.ts'
import type { TraceEvent } from './event.ts'
import { TraceFiles, type WriteAt, writeAt } from './files.ts'
import { encoderOf, MAX_RECORD_BYTES, packerOf, type TraceFormat } from './format.ts'
import { NameLock } from './name-lock.ts'
import type { Packer } from './zlib-pump.ts'

export interface TraceWriterOptions {
  readonly folder: string
  /** Files are NAME-000001.EXT and on. Default: trace. */
  readonly name?: string
  readonly format: TraceFormat
  /** A file that would become larger is ended, and the next begun. Default: 64 MiB. */
  readonly maxFileBytes?: number
  /** How many files are kept, with those of earlier runs. Default: 16. */
  readonly maxFiles?: number
  /** What may wait for the disk. Default: 4 MiB. */
  readonly bufferBytes?: number
  /** How long a record waits for others, and a failing disk for the next attempt. Default: 2000. */
  readonly flushMs?: number
  readonly log: Log
  readonly write?: WriteAt
}

export interface TraceWriterStats {
  /** Events that were handed in: those written, those lost and those that wait. */
  readonly recorded: number
  readonly written: number
  readonly lost: number
  /** Failures of the disk. */
  readonly errors: number
  /** What all files got, with those that have been removed. */
  readonly bytes: number
}

const CHUNK_BYTES = 64 << 10

/**
 * Writes what gossip does without ever holding it up: `record` encodes into memory, and the disk is written beside. What
 * the disk does not take in time is let go and counted, and a LOST record says so in the trace as soon as there is room.
 * Nothing here throws into gossip.
 */
export class TraceWriter {
  readonly #encode: (event: TraceEvent) => Uint8Array
  readonly #format: TraceFormat
  readonly #maxFileBytes: number
  readonly #maxRecordBytes: number
  readonly #log: Log
  readonly #buffer: TraceBuffer
  readonly #files: TraceFiles
  readonly #lock: NameLock
  readonly #timer: NodeJS.Timeout
  #packer: Packer
  /** The chunk that is being written, and what it is on disk. They stay until the disk has taken them. */
  #chunk: Chunk | undefined
  #packed: Buffer | undefined
  /** What ends the file that is full. */
  #ending: Buffer | undefined
  #writing: Promise<void> | undefined
  /** Whether to write a chunk that is not full. */
  #due = false
  /** Since the disk failed and until it takes something again. */
  #failing = false
  #closed: Promise<void> | undefined
  /** Lost, and not yet said in the trace. The time is that of the last of them. */
  #unsaid: { peerId: Uint8Array; timestamp: bigint; count: number } | undefined
  /** Since there was no room and until a chunk is written: what little has room before that would come before the gap. */
  #full = false
  #faulty = false
  #recorded = 0
  #written = 0
  #lost = 0
  #errors = 0

  /** @throws MolochError TRACE_HELD if another writer has the name, TRACE_FOLDER if the first file cannot be made */
  static async open(options: TraceWriterOptions): Promise<TraceWriter> {
    const { folder, name = 'trace', format, maxFiles = 16, write = writeAt } = options
    const files = new TraceFiles(folder, name, format, maxFiles, write)
    let lock: NameLock | undefined
    try {
      lock = await NameLock.take(folder, name)
      await files.open()
      return new TraceWriter(options, files, lock)
    } catch (error) {
      await lock?.release()
      if (error instanceof MolochError) throw error
      const what = `cannot write traces to ${folder}: ${messageOf(error)}; a folder that can be written is accepted`
      throw new MolochError('TRACE_FOLDER', what, { folder }, { cause: error })
    }
  }

  private constructor(options: TraceWriterOptions, files: TraceFiles, lock: NameLock) {
    const { format, maxFileBytes = 64 << 20, bufferBytes = 4 << 20, flushMs = 2000, log } = options
    this.#encode = encoderOf(format)
    this.#format = format
    this.#maxFileBytes = maxFileBytes
    this.#maxRecordBytes = Math.min(MAX_RECORD_BYTES, bufferBytes)
    this.#log = log
    this.#buffer = new TraceBuffer(bufferBytes, Math.min(CHUNK_BYTES, maxFileBytes))
    this.#files = files
    this.#lock = lock
    this.#packer = packerOf(format)
    this.#timer = setInterval(() => {
      this.#due = true
      this.#start()
    }, flushMs)
    this.#timer.unref()
  }

  get stats(): TraceWriterStats {
    const [recorded, written, lost, errors] = [this.#recorded, this.#written, this.#lost, this.#errors]
    return { recorded, written, lost, errors, bytes: this.#files.written }
  }

  /** Events of one node, in the order of their timestamps. After `close` they are not counted. */
  record(event: TraceEvent): void {
    if (this.#closed !== undefined) return
    this.#recorded++
    if (!(this.#saySo() && this.#add(event, true))) this.#lose(event)
    if (this.#buffer.hasFull && !this.#failing) this.#start()
  }

  /** Writes what waits. If the disk fails, once more and then no more: what it did not take is lost. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  #add(event: TraceEvent, counts: boolean): boolean {
    if (this.#full) return false
    let record: Uint8Array
    try {
      record = this.#encode(event)
    } catch (error) {
      // No such event is known; if there is one, gossip goes on all the same.
      if (!this.#faulty) this.#log.error({ type: event.type, error: messageOf(error) }, 'gossip trace: not an event')
      this.#faulty = true
      return false
    }
    if (record.length > this.#maxRecordBytes) return false
    this.#full = !this.#buffer.add(record, counts)
    return !this.#full
  }

  #lose({ peerId, timestamp }: TraceEvent): void {
    this.#lost++
    this.#unsaid = { peerId, timestamp, count: (this.#unsaid?.count ?? 0) + 1 }
  }

  /** @returns whether the trace says all that was lost */
  #saySo(): boolean {
    if (this.#unsaid === undefined) return true
    if (!this.#add({ type: 'LOST', ...this.#unsaid }, false)) return false
    this.#unsaid = undefined
    return true
  }

  #start(): void {
    this.#writing ??= this.#run()
  }

  /** One run at a time; it ends when there is nothing more to write, or on the first failure. */
  async #run(): Promise<void> {
    try {
      while (await this.#step()) this.#works()
    } catch (error) {
      this.#fails(error)
    }
    this.#writing = undefined
  }

  /** Writes one thing; when it failed it is done again. @returns whether there was one */
  async #step(): Promise<boolean> {
    if (this.#ending !== undefined) {
      await this.#files.append(this.#ending)
      this.#ending = undefined
      this.#packer = packerOf(this.#format)
      await this.#files.close()
    }
    this.#chunk ??= this.#take()
    const chunk = this.#chunk
    if (chunk === undefined) return false
    if (this.#packed === undefined) {
      const { bytes } = this.#files
      if (bytes > 0 && bytes + chunk.used > this.#maxFileBytes) {
        this.#ending = await this.#packer.end()
        return true
      }
      this.#packed = await this.#packer.pack(chunk.bytes.subarray(0, chunk.used))
    }
    await this.#files.append(this.#packed)
    this.#chunk = undefined
    this.#packed = undefined
    this.#written += chunk.events
    this.#buffer.release(chunk)
    this.#full = false
    this.#saySo()
    return true
  }

  #take(): Chunk | undefined {
    const full = this.#buffer.takeFull()
    if (full !== undefined || !this.#due) return full
    this.#due = false
    return this.#buffer.takeFilling()
  }

  #works(): void {
    if (!this.#failing) return
    this.#failing = false
    this.#log.info({ file: this.#files.path, lost: this.#lost }, 'the gossip trace is written again')
  }

  #fails(error: unknown): void {
    this.#errors++
    if (this.#failing) return
    this.#failing = true
    const what =
      'cannot write the gossip trace; it is tried again, and what does not fit into memory until then is lost'
    this.#log.warn({ file: this.#files.path, error: messageOf(error) }, what)
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writing
    // Until nothing is left: the last step may have made room for a record of what was lost.
    do {
      this.#saySo()
      this.#failing = false
      this.#due = true
      await this.#run()
    } while (!this.#failing && this.#buffer.held > 0)
    try {
      if (!this.#failing) await this.#files.append(await this.#packer.end())
      await this.#files.close()
    } catch (error) {
      this.#fails(error)
    }
    await this.#lock.release()
    const left = this.#recorded - this.#written - this.#lost
    this.#lost += left
    if (left > 0) this.#log.warn({ file: this.#files.path, lost: left }, 'the end of the gossip trace is lost')
  }
}
