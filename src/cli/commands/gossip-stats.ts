import type { Command } from 'commander'
import { MolochError } from '../../error.ts'
import { type Cli, printJson } from '../cli.ts'
import { newCommand } from '../command.ts'

interface StatsOptions {
  readonly topic?: string
  readonly csv?: string
  readonly plots?: string
  readonly json?: boolean
}

export function gossipStatsCommand(cli: Cli): Command {
  return newCommand(cli, 'stats', {
    summary: 'measure traces of gossip: delays, duplicates, meshes, control, for each topic and for all',
    example: 'moloch gossip stats .devnet/traces/*.pb --plots plots --csv csv'
  })
    .argument('<file...>', 'traces of one or more nodes, in any of the forms; also those of go-libp2p-pubsub')
    .option('--topic <topic>', 'of this topic only: its full name, or events, block, vote, finalized or header')
    .option('--csv <dir>', 'write tables here, one CSV file each')
    .option('--plots <dir>', 'draw plots here, as SVG and PNG')
    .option('--json', 'print JSON')
    .action((files: readonly string[], options: StatsOptions) => stats(cli, files, options))
}

async function stats(cli: Cli, files: readonly string[], options: StatsOptions): Promise<void> {
  const { measureFiles } = await import('../../trace/measure-files.ts')
  const { writeCsv, writePlots } = await import('../gossip/write-stats.ts')
  const { reportText } = await import('../../trace/report/text.ts')
  const { statsOfTopic } = await import('../../trace/report/of-topic.ts')
  const all = await measureFiles(files, cli.err)
  const measured = options.topic === undefined ? all : statsOfTopic(all, options.topic)
  if (measured === undefined) {
    const known = all.topics.map(({ topic }) => JSON.stringify(topic)).join(', ')
    throw new MolochError(
      'NO_TOPIC',
      `the traces have no topic ${JSON.stringify(options.topic)}, or several; they have ${known || 'none'}`
    )
  }
  if (options.csv !== undefined) await writeCsv(cli, options.csv, measured)
  if (options.plots !== undefined) await writePlots(cli, options.plots, measured)
  if (options.json) printJson(cli, measured)
  else cli.out(reportText(measured).trimEnd())
}
