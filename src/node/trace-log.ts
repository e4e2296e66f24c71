import { basename, dirname, isAbsolute, relative, resolve } from 'node:path'
import { MolochError } from '../error.ts'
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
 * @throws MolochError TRACE_FILE for a path that is none, TRACE_FOLDER, TRACE_HELD
 */
export async function openTrace(
  { home, trace }: Pick<Config, 'home' | 'trace'>,
  log: Log,
  lookEveryMs = LOOK_EVERY_MS
): Promise<TraceLog | undefined> {
  if (trace.file === '') return undefined
  const path = pathOf(home, trace.file)
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

/** What is relative stays within the home, so that a home can be moved with all that is its own. */
function pathOf(home: string, file: string): string {
  const refused = (why: string, accepted: string): MolochError =>
    new MolochError('TRACE_FILE', `trace.file ${file} ${why}; ${accepted} is accepted`, { file })
  const path = resolve(home, file)
  if (/(^|[/\\])\.{0,2}$/.test(file)) throw refused('is a folder', `a name in it such as ${path}/gossip`)
  if (!isAbsolute(file) && relative(home, path).startsWith('..')) {
    throw refused(`leaves the home ${home}`, 'a path within it or an absolute one')
  }
  return path
}
