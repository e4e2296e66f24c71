import { basename, dirname, resolve } from 'node:path'
import type { Log } from '../log.ts'
import type { TraceEvent } from '../trace/event.ts'
import { TraceWriter } from '../trace/writer.ts'
import type { Config } from './config/schema.ts'

/** How often it is looked whether records were lost: at most so often there is a warning. */
const LOOK_EVERY_MS = 30_000

export interface TraceLog {
  record(event: TraceEvent): void
  /** Writes what waits. */
  close(): Promise<void>
}

/**
 * The trace that the configuration asks for, if it does.
 * @throws MolochError TRACE_FOLDER
 */
export async function openTrace(
  { home, trace }: Pick<Config, 'home' | 'trace'>,
  log: Log,
  lookEveryMs = LOOK_EVERY_MS
): Promise<TraceLog | undefined> {
  if (trace.file === '') return undefined
  const path = resolve(home, trace.file)
  const writer = await TraceWriter.open({
    folder: dirname(path),
    name: basename(path),
    format: trace.format,
    maxFileBytes: trace.max_file_bytes,
    maxFiles: trace.keep_files,
    log
  })
  let said = 0
  const look = (): void => {
    const { lost } = writer.stats
    if (lost === said) return
    log.warn(
      { trace: path, lost: lost - said, all: lost },
      'the disk did not keep up: records of the gossip trace are lost'
    )
    said = lost
  }
  const looking = setInterval(look, lookEveryMs)
  looking.unref()
  return {
    record: (event) => writer.record(event),
    close: async () => {
      clearInterval(looking)
      look()
      await writer.close()
    }
  }
}
