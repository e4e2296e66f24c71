import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { TraceEvent } from '../../trace/event.ts'
import { parseTraceFileName } from '../../trace/file-name.ts'
import type { TraceFormat } from '../../trace/format.ts'
import { TraceWriter } from '../../trace/writer.ts'
import { type Cli, usageError } from '../cli.ts'
import { warnings } from './log.ts'

export interface RecordingOptions {
  /** Prefix of the files. */
  readonly out: string
  readonly format: TraceFormat
  readonly maxFileBytes: number
  readonly keep: number
}

/** A trace that is written, and what there is to say of it. */
export class Recording {
  readonly #writer: TraceWriter
  readonly #folder: string
  readonly #name: string
  readonly #before: ReadonlySet<string>

  /** @throws MolochError TRACE_FOLDER, TRACE_HELD */
  static async open(cli: Cli, { out, format, maxFileBytes, keep }: RecordingOptions): Promise<Recording> {
    const path = resolve(out)
    if (out.endsWith('/')) throw usageError(`--out ${out} is a folder; a prefix such as ${out}observer is accepted`)
    const [folder, name] = [dirname(path), basename(path)]
    const before = new Set(filesOf(folder, name))
    const log = warnings(cli)
    return new Recording(
      await TraceWriter.open({ folder, name, format, maxFileBytes, maxFiles: keep, log }),
      folder,
      name,
      before
    )
  }

  private constructor(writer: TraceWriter, folder: string, name: string, before: ReadonlySet<string>) {
    this.#writer = writer
    this.#folder = folder
    this.#name = name
    this.#before = before
  }

  record(event: TraceEvent): void {
    this.#writer.record(event)
  }

  close(): Promise<void> {
    return this.#writer.close()
  }

  /** Those of this recording that are there, in order. */
  files(): string[] {
    return filesOf(this.#folder, this.#name).filter((path) => !this.#before.has(path))
  }

  result() {
    const { recorded, written, lost, bytes } = this.#writer.stats
    return { records: recorded, written, lost, bytes, kept_bytes: this.#keptBytes(), files: this.files() }
  }

  /** How it goes, in one line. */
  line(): string {
    const { recorded, lost, bytes } = this.#writer.stats
    const kept = `${this.#keptBytes()} of them kept in ${this.files().length} files`
    return `${recorded} records, ${bytes} bytes, ${kept}, ${lost} records lost`
  }

  #keptBytes(): number {
    // One may have been removed, as too old to be kept, since it was listed.
    return this.files().reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0)
  }
}

function filesOf(folder: string, name: string): string[] {
  let files: string[]
  try {
    files = readdirSync(folder)
  } catch {
    // Not there yet, or not ours to read: the writer says what is wrong with it.
    return []
  }
  return files
    .filter((file) => parseTraceFileName(file)?.name === name)
    .sort()
    .map((file) => join(folder, file))
}
