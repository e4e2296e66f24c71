/** The gossip traces of a devnet's nodes: NAME-000001.pb and on of each, all in one folder. */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MolochError } from '../error.ts'
import { lockFileName, parseTraceFileName } from '../trace/file-name.ts'
import { measureFiles } from '../trace/measure-files.ts'
import type { GossipStats } from '../trace/measures/gossip-stats.ts'
import { reportText } from '../trace/report/text.ts'
import { isMemberName } from './spec.ts'

/** Where they are if nobody says where, within the devnet's directory. */
export const TRACES = 'traces'

/** The trace files of the nodes, sorted: those of one node in order. */
export function traceFiles(dir: string, names: readonly string[]): string[] {
  if (!existsSync(dir)) return []
  const known = new Set(names)
  return readdirSync(dir)
    .filter((file) => known.has(parseTraceFileName(file)?.name ?? ''))
    .sort()
    .map((file) => join(dir, file))
}

/** Removes the traces of an earlier devnet, and the folder unless somebody has put something else there. */
export function removeTraces(dir: string): void {
  if (!existsSync(dir)) return
  for (const file of readdirSync(dir)) {
    const name = parseTraceFileName(file)?.name
    if (name === undefined || !isMemberName(name)) continue
    rmSync(join(dir, file))
    // Of one that was killed.
    rmSync(join(dir, lockFileName(name)), { force: true })
  }
  if (readdirSync(dir).length === 0) rmdirSync(dir)
}

/**
 * Traces of two networks make no sense together.
 * @throws MolochError TRACES_EXIST
 */
export function assertNoTraces(dir: string, names: readonly string[]): void {
  const found = traceFiles(dir, names)
  if (found.length === 0) return
  const what = `${dir} has traces of an earlier run (${found.length} files); --trace takes a folder without any`
  throw new MolochError('TRACES_EXIST', what, { dir })
}

export interface TraceSummary {
  readonly files: readonly string[]
  /** What `moloch gossip stats --json` prints for them. */
  readonly stats: GossipStats
}

/** The measures of all nodes' traces together, when all have stopped; said on the way: where they are, and the report. */
export async function summarizeTraces(files: readonly string[], say: (text: string) => void): Promise<TraceSummary> {
  const [first] = files
  say(
    first === undefined
      ? 'no gossip traces were written'
      : `gossip traces: ${files.length} files in ${dirname(first)}; for plots and tables: moloch gossip stats`
  )
  const stats = await measureFiles(files, say)
  if (first !== undefined) say(reportText(stats).trimEnd())
  return { files, stats }
}
