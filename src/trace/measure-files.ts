import { GossipMeasures } from './measures/gossip-measures.ts'
import type { GossipStats } from './measures/gossip-stats.ts'
import { mergeTraces } from './merge.ts'
import { TraceSources } from './sources.ts'

/**
 * The measures of all files together, in one pass.
 * @param warn told of what a file lacks or has too much, one line each
 * @throws MolochError TRACE_UNREADABLE | TRACE_MALFORMED
 */
export async function measureFiles(files: readonly string[], warn: (line: string) => void): Promise<GossipStats> {
  const sources = new TraceSources(files)
  const measures = new GossipMeasures()
  for await (const event of mergeTraces(sources.events())) measures.add(event)
  for (const { path, torn, skipped } of sources.readers) {
    if (torn !== undefined) {
      warn(`${path} ends within a record: its node was killed or still writes; ${torn} bytes left out`)
    }
    if (skipped > 0) warn(`${path} has ${skipped} records of types that are not known here; they are left out`)
  }
  return measures.result()
}
