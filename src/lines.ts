import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { isatty } from 'node:tty'

/** What may wait for a reader that is behind: minutes of a log, and all that a command says at once. */
const MAX_WAITING_BYTES = 4 << 20
/** How often a terminal that takes nothing now is tried again. */
const RETRY_MS = 20
/** The code of lines that were let go because nobody read those before them. */
const NOT_READ = 'NOT_READ'
const STDERR = 2

/** Takes text without making anybody wait for it; `done` says why it was not written, if so. */
export interface Port {
  readonly waitingBytes: number
  put(text: string, done: (fault?: string) => void): void
}

/**
 * Lines that never decide over the process that writes them: a full disk, a reader that has left and one that reads
 * nothing neither throw nor block. What is not taken is let go and counted, and that is told once lines are taken again.
 */
export class LossyLines {
  readonly #port: Port
  readonly #maxWaitingBytes: number
  #lost = 0
  #untold = 0
  #fault: string | undefined
  /** Called with what was lost, and why the last of it was. */
  onTakenAgain: (lost: number, fault: string) => void = () => {}

  constructor(port: Port, maxWaitingBytes = MAX_WAITING_BYTES) {
    this.#port = port
    this.#maxWaitingBytes = maxWaitingBytes
  }

  /** How many were let go. */
  get lost(): number {
    return this.#lost
  }

  /** Why the newest were let go: a system error's code, or NOT_READ; undefined while lines are taken. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** @param text one line or more, with the newline */
  write(text: string): void {
    if (this.#port.waitingBytes + text.length > this.#maxWaitingBytes) this.#lose(NOT_READ)
    else this.#port.put(text, (fault) => (fault === undefined ? this.#taken() : this.#lose(fault)))
  }

  #lose(fault: string): void {
    this.#lost++
    this.#untold++
    this.#fault = fault
  }

  #taken(): void {
    // Where a reader is only just behind, telling of each loss would be most of what there is to read.
    if (this.#fault === undefined || this.#port.waitingBytes > this.#maxWaitingBytes / 2) return
    const [lost, fault] = [this.#untold, this.#fault]
    this.#untold = 0
    this.#fault = undefined
    this.onTakenAgain(lost, fault)
  }
}

let stderr: LossyLines | undefined

/** This process's stderr: one for the log and all else that is said there. */
export function stderrLines(): LossyLines {
  stderr ??= new LossyLines(portOf(STDERR, process.stderr))
  return stderr
}

/** The same with what a terminal has more. */
export const stderrTerminal = {
  get isTTY(): boolean {
    return process.stderr.isTTY
  },
  get columns(): number {
    return process.stderr.columns
  },
  write: (text: string): void => stderrLines().write(text)
}

/** @param stream Node's own for this descriptor */
export function portOf(fd: number, stream: Writable): Port {
  // Whoever else writes there (a warning of Node's) must not end the process either.
  stream.on('error', () => {})
  if (isatty(fd)) return new DescriptorPort(withoutWaiting(fd))
  const kind = fstatSync(fd)
  // Of pipes and sockets Node writes what is taken at once and keeps the rest.
  if (kind.isFIFO() || kind.isSocket()) return streamPort(stream)
  return new DescriptorPort(fd)
}

/**
 * A terminal may be halted (Ctrl-S, a connection that hangs), and Node writes to it until it takes all. The same one
 * opened again has a mode of its own.
 */
function withoutWaiting(fd: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return fd
  }
}

function streamPort(stream: Writable): Port {
  return {
    get waitingBytes() {
      return stream.writableLength
    },
    put: (text, done) => {
      stream.write(text, (error) => done(error === null || error === undefined ? undefined : codeOf(error)))
    }
  }
}

type WriteSync = (fd: number, bytes: Uint8Array) => number

interface Waiting {
  /** What is left to be written. */
  bytes: Uint8Array
  begun: boolean
  readonly done: (fault?: string) => void
}

/** Written before `put` returns, where that is possible: the last lines before a crash are the ones that matter. */
export class DescriptorPort implements Port {
  readonly #fd: number
  readonly #write: WriteSync
  readonly #waiting: Waiting[] = []
  /** The disk was full in the middle of a line: what comes next begins a new one. */
  #severed = false
  waitingBytes = 0

  constructor(fd: number, write: WriteSync = writeSync) {
    this.#fd = fd
    this.#write = write
    process.once('exit', () => this.#drain())
  }

  put(text: string, done: (fault?: string) => void): void {
    const bytes = Buffer.from(text)
    this.waitingBytes += bytes.byteLength
    this.#waiting.push({ bytes, begun: false, done })
    if (this.#waiting.length === 1) this.#drain()
  }

  #drain(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      let fault: string | undefined
      try {
        this.#writeAll(first)
      } catch (error) {
        fault = codeOf(error)
        if (fault === 'EAGAIN') {
          setTimeout(() => this.#drain(), RETRY_MS).unref()
          return
        }
        this.#severed ||= first.begun
      }
      this.#waiting.shift()
      this.waitingBytes -= first.bytes.byteLength
      first.done(fault)
    }
  }

  #writeAll(first: Waiting): void {
    if (this.#severed && !first.begun) this.#write(this.#fd, Buffer.from('\n'))
    while (first.bytes.byteLength > 0) {
      const written = this.#write(this.#fd, first.bytes)
      this.#severed = false
      first.begun = true
      first.bytes = first.bytes.subarray(written)
      this.waitingBytes -= written
    }
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}
