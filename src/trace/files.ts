import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { MAX_FILE_NUMBER, parseTraceFileName, traceFileName } from './file-name.ts'
import type { TraceFormat } from './format.ts'

/** Writes all of the bytes at that place of the file. */
export type WriteAt = (file: FileHandle, bytes: Uint8Array, position: number) => Promise<void>

export const writeAt: WriteAt = async (file, bytes, position) => {
  let done = 0
  while (done < bytes.length) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}

/**
 * The files of a trace, NAME-000001.EXT and on: one is written, of the others the oldest are removed. Numbers go on after
 * those in the folder, so a node that starts again writes over nothing.
 */
export class TraceFiles {
  readonly #folder: string
  readonly #name: string
  readonly #format: TraceFormat
  readonly #keep: number
  readonly #write: WriteAt
  #number = 0
  #file: FileHandle | undefined
  #bytes = 0
  #written = 0

  constructor(folder: string, name: string, format: TraceFormat, keep: number, write: WriteAt) {
    this.#folder = folder
    this.#name = name
    this.#format = format
    this.#keep = keep
    this.#write = write
  }

  /** How much the file has that is being written. */
  get bytes(): number {
    return this.#bytes
  }

  /** How much all files got. */
  get written(): number {
    return this.#written
  }

  /** The file that is being written, or was last. */
  get path(): string {
    return join(this.#folder, traceFileName({ name: this.#name, number: this.#number, format: this.#format }))
  }

  /** Makes the folder and the file. To be called again when it failed. */
  async open(): Promise<void> {
    if (this.#file !== undefined) return
    await mkdir(this.#folder, { recursive: true })
    const last = (await this.#list()).at(-1)?.number ?? 0
    const next = Math.max(this.#number, last + 1)
    if (next > MAX_FILE_NUMBER) throw new Error(`${this.#name}-${last} is the last file there can be of the name`)
    this.#number = next
    this.#file = await open(this.path, 'wx', 0o644)
  }

  /** To be called again with the same bytes when it failed: they go where they belong, over what came of them. */
  async append(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return
    await this.open()
    await this.#write(this.#file as FileHandle, bytes, this.#bytes)
    const first = this.#bytes === 0
    this.#bytes += bytes.length
    this.#written += bytes.length
    // Not before it has something: on a full disk, empty files would drive out all that were kept.
    if (first) await this.#removeOldest()
  }

  /** Closes the file; the next append begins another. What a failed append left is cut off, and an empty file removed. */
  async close(): Promise<void> {
    const file = this.#file
    if (file === undefined) return
    const { path } = this
    const bytes = this.#bytes
    this.#file = undefined
    this.#bytes = 0
    try {
      await file.truncate(bytes)
    } finally {
      await file.close()
      if (bytes === 0) await unlink(path)
    }
  }

  async #removeOldest(): Promise<void> {
    const files = await this.#list()
    // One that somebody else has removed already, or that cannot be, is no reason to stop writing.
    for (const { path } of files.slice(0, -this.#keep)) await unlink(path).catch(() => {})
  }

  async #list(): Promise<{ path: string; number: number }[]> {
    const files = (await readdir(this.#folder)).flatMap((file) => {
      const known = parseTraceFileName(file)
      return known?.name === this.#name ? [{ path: join(this.#folder, file), number: known.number }] : []
    })
    return files.sort((a, b) => a.number - b.number)
  }
}
