import { type Command, Option } from 'commander'
import { TRACE_FORMATS, type TraceFormat } from '../../trace/format.ts'
import { type Cli, printJson } from '../cli.ts'
import { newCommand } from '../command.ts'
import { addObserveOptions, type ObserveOptions } from '../gossip/options.ts'
import { wholeNumber } from '../parsers.ts'

interface RecordOptions extends ObserveOptions {
  readonly out: string
  readonly format: TraceFormat
  readonly maxFileBytes: number
  readonly keep: number
  readonly json?: boolean
}

const PROGRESS_EVERY_MS = 5000

export function gossipRecordCommand(cli: Cli): Command {
  const command = newCommand(cli, 'record', {
    summary: 'record all that gossip does at a peer of a network, for moloch gossip stats and other tools',
    example: 'moloch gossip record --url http://127.0.0.1:8645 --out traces/observer --for 60s'
  })
  return addObserveOptions(command)
    .requiredOption('--out <prefix>', 'files are PREFIX-000001.EXT and on')
    .addOption(
      new Option('--format <format>', "records in go-libp2p-pubsub's protobuf, or in its JSON by lines, gzipped or not")
        .choices(TRACE_FORMATS)
        .default('pb')
    )
    .option('--max-file-bytes <n>', 'begin the next file before one is larger', wholeNumber(4096, 2 ** 40), 64 << 20)
    .option('--keep <n>', 'files that are kept, those of earlier runs included', wholeNumber(1, 100_000), 16)
    .option('--json', 'print JSON: the files and what they hold')
    .action((peers: readonly string[], options: RecordOptions) => record(cli, peers, options))
}

async function record(cli: Cli, peers: readonly string[], options: RecordOptions): Promise<void> {
  const { findTarget } = await import('../gossip/connect.ts')
  const { observe } = await import('../gossip/observe.ts')
  const { Recording } = await import('../gossip/recording.ts')
  const target = await findTarget(cli, peers, options)
  const recording = await Recording.open(cli, options)
  const progress = setInterval(() => cli.err(recording.line()), PROGRESS_EVERY_MS)
  try {
    await observe(cli, target, { seconds: options.for, more: { trace: (event) => recording.record(event) } })
  } finally {
    clearInterval(progress)
    await recording.close()
    cli.err(recording.line())
  }
  if (options.json) printJson(cli, recording.result())
  else cli.out(recording.files().join('\n'))
}
