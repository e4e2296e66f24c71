import { basename, dirname, join, resolve } from 'node:path'
import { MolochError } from '../error.ts'
import type { TraceEvent } from './event.ts'
import { parseTraceFileName } from './file-name.ts'
import { TraceReader } from './reader.ts'

/** Files to be read: those that one writer wrote one after the other are one source, which has one of them open. */
export class TraceSources {
  readonly readers: readonly TraceReader[]
  readonly #groups: readonly (readonly TraceReader[])[]

  /** @param paths in any order; one that is named twice is read once */
  constructor(paths: readonly string[]) {
    const groups = new Map<string, { readonly number: number; readonly reader: TraceReader }[]>()
    for (const path of new Map(paths.map((one) => [resolve(one), one])).values()) {
      const known = parseTraceFileName(basename(path))
      const key = known === undefined ? resolve(path) : join(dirname(resolve(path)), `${known.name}-`)
      const group = groups.get(key) ?? []
      group.push({ number: known?.number ?? 0, reader: new TraceReader(path) })
      groups.set(key, group)
    }
    this.#groups = [...groups.values()].map((group) =>
      group.sort((a, b) => a.number - b.number).map(({ reader }) => reader)
    )
    this.readers = this.#groups.flat()
  }

  /** To be merged by time. @throws MolochError as the reader; TRACE_MALFORMED also for a file without any record */
  events(): AsyncGenerator<TraceEvent>[] {
    return this.#groups.map((group) => chain(group))
  }
}

async function* chain(readers: readonly TraceReader[]): AsyncGenerator<TraceEvent> {
  for (const reader of readers) {
    let any = false
    for await (const event of reader) {
      any = true
      yield event
    }
    if (any || reader.torn === undefined || reader.skipped > 0) continue
    const what = `${reader.path} has no whole record of a trace, though ${reader.torn} bytes of something`
    throw new MolochError('TRACE_MALFORMED', what, { path: reader.path })
  }
}
