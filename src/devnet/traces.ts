/** The gossip traces of a devnet's nodes: NAME-000001.pb and on of each, all in one folder. */
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MolochError } from '../error.ts'

/** Where they are if nobody says where, within the devnet's directory. */
export const TRACES = 'traces'

/** The trace files of the nodes, sorted: those of one node in order. */
export function traceFiles(dir: string, names: readonly string[]): string[] {
  if (!existsSync(dir)) return []
  const [known, ofNode] = [new Set(names), /^(.+)-\d{6,}\.(pb|ndjson)(\.gz)?$/]
  return readdirSync(dir)
    .filter((file) => known.has(ofNode.exec(file)?.[1] ?? ''))
    .sort()
    .map((file) => join(dir, file))
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

/** What is said of the traces when all nodes have stopped. The merged report of them belongs here: `files` is what it reads. */
export async function traceReport(files: readonly string[]): Promise<string> {
  const [first] = files
  return first === undefined
    ? 'no gossip traces were written'
    : `gossip traces: ${files.length} files in ${dirname(first)}`
}
