import { GossipMeasures } from '../../trace/measures/gossip-measures.ts'
import type { GossipStats } from '../../trace/measures/gossip-stats.ts'
import { mergeTraces } from '../../trace/merge.ts'
import { TraceSources } from '../../trace/sources.ts'
import type { Cli } from '../cli.ts'

/**
 * The measures of all files together, in one pass.
 * @throws MolochError TRACE_UNREADABLE | TRACE_MALFORMED
 */
export async function measure(cli: Cli, files: readonly string[]): Promise<GossipStats> {
  const sources = new TraceSources(files)
  const measures = new GossipMeasures()
  for await (const event of mergeTraces(sources.events())) measures.add(event)
  for (const { path, torn, skipped } of sources.readers) {
    if (torn !== undefined)
      cli.err(`${path} ends within a record: its node was killed or still writes; ${torn} bytes left out`)
    if (skipped > 0) cli.err(`${path} has ${skipped} records of types that are not known here; they are left out`)
  }
  return measures.result()
}
