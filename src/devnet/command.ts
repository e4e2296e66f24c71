import type { Command } from 'commander'
import { duration, eventRate, heightNumber, nodeCount, type RunOptions, seedNumber, validatorCount } from './options.ts'
import { runDevnet } from './run.ts'

const EXAMPLES = `
Examples:
  moloch devnet
      four validators, a full node and one that joins late; events from this checkout's git history; until Ctrl-C
  moloch devnet --until-height 30 --events commits.jsonl.gz --json
      ends by itself; exit 0 only if all nodes agree on the finalized chain
  moloch devnet --for 60s --rate 1000 --validators 7 --keep
      a minute at 1000 events/s, seven validators; the homes and logs stay in .devnet`

/** Adds \`devnet\` to the CLI. */
export function devnetCommand(program: Command): void {
  program
    .command('devnet')
    .description('run a local network of real nodes that finalizes audit events, with a node that joins late')
    .option('--validators <n>', 'validators', validatorCount, 4)
    .option('--nodes <n>', 'full nodes beside them', nodeCount, 1)
    .option('--dir <dir>', 'directory of the homes; an earlier devnet in it is removed', '.devnet')
    .option('--seed <n>', 'seed of all keys', seedNumber, 1)
    .option('--events <file>', 'feed the events of a file of JSON lines (.jsonl, .jsonl.gz)')
    .option('--git <repo>', 'feed the commits of a git repository')
    .option('--rate <n>', 'events a second', eventRate, 200)
    .option('--until-height <n>', 'end at this finalized height', heightNumber)
    .option('--for <time>', 'end after this time: 60s, 5m', duration)
    .option('--keep', 'keep the homes and logs at the end', false)
    .option('--json', 'print the result as one JSON object, last on stdout', false)
    .addHelpText('after', EXAMPLES)
    .action((options: RunOptions) => runDevnet(options))
}
