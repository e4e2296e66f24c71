import type { Command } from 'commander'
import { MolochError } from '../error.ts'
import { stderrLines } from '../lines.ts'
import { byHostName, createHomes, membersIn, releaseHomes } from './homes.ts'
import { duration, eventRate, heightNumber, nodeCount, type RunOptions, seedNumber, validatorCount } from './options.ts'
import { runDevnet } from './run.ts'
import { DEFAULT_SPEC, members } from './spec.ts'

const EXAMPLES = `
Examples:
  moloch devnet
      four validators, a full node and one that joins late; events from this checkout's git history; until Ctrl-C
  moloch devnet --until-height 30 --events commits.jsonl.gz --json
      ends by itself; exit 0 only if all nodes agree on the finalized chain
  moloch devnet --for 60s --rate 400 --validators 5 --keep
      a minute at 400 events/s, five validators; the homes and logs stay in .devnet
  moloch devnet --nodes 8 --for 60s --trace
      every message and RPC of gossip at every node, in .devnet/traces
  moloch devnet --light 2
      with two light nodes, which hold no events and prove them all the same: moloch proof event ID`

const HOMES_EXAMPLE = `
Example:
  moloch devnet homes --dir /data --validators 4 --nodes 1
      homes /data/validator-1 … /data/node-1; each node finds the others by host name, as in docker-compose.yml`

/** Adds \`devnet\` to the CLI. */
export function devnetCommand(program: Command): void {
  const devnet = program
    .command('devnet')
    .description('run a local network of real nodes that finalizes audit events, with a node that joins late')
    .option('--validators <n>', 'validators', validatorCount, 4)
    .option('--nodes <n>', 'full nodes beside them', nodeCount, 1)
    .option('--light <n>', 'light nodes, which follow headers only', nodeCount, 0)
    .option('--dir <dir>', 'directory of the homes; an earlier devnet in it is removed', '.devnet')
    .option('--seed <n>', 'seed of all keys', seedNumber, 1)
    .option('--events <file>', 'feed the events of a file of JSON lines (.jsonl, .jsonl.gz)')
    .option('--git <repo>', 'feed the commits of a git repository')
    .option('--rate <n>', 'events a second', eventRate, 200)
    .option('--until-height <n>', 'end at this finalized height', heightNumber)
    .option('--for <time>', 'end after this time: 60s, 5m', duration)
    .option('--trace [dir]', 'let every node trace its gossip to files in this folder (default: traces in --dir)')
    .option('--keep', 'keep the homes and logs at the end', false)
    .option('--json', 'print the result as one JSON object, last on stdout', false)
    .addHelpText('after', EXAMPLES)
    .action((options: RunOptions) => runDevnet(options))
  devnet
    .command('homes')
    .description('only write the homes of a devnet whose nodes run on hosts of their own; leaves homes that exist')
    .option('--validators <n>', 'validators', validatorCount, 4)
    .option('--nodes <n>', 'full nodes beside them', nodeCount, 1)
    .option('--dir <dir>', 'directory of the homes', '.devnet')
    .option('--seed <n>', 'seed of all keys', seedNumber, 1)
    .addHelpText('after', HOMES_EXAMPLE)
    // Options of the same name on the command above would get the values otherwise.
    .action((_, command: Command) => writeHomes(command.optsWithGlobals()))
}

async function writeHomes(options: { validators: number; nodes: number; dir: string; seed: number }): Promise<void> {
  const spec = { ...DEFAULT_SPEC, ...options, light: 0, late: false, trace: undefined }
  const found = membersIn(options.dir)
  if (found.length > 0) {
    const wanted = members(spec).map(({ name }) => name)
    if (found.length !== wanted.length || !wanted.every((name) => found.includes(name)))
      throw otherNetwork(options.dir, found)
    stderrLines().write(`the homes are in ${options.dir} already\n`)
    return
  }
  const places = await createHomes(options.dir, spec, byHostName)
  releaseHomes(options.dir)
  for (const { home } of places) stderrLines().write(`${home}\n`)
}

/** Homes hold keys and a chain: those of a network of another shape are not for this command to remove. */
function otherNetwork(dir: string, found: readonly string[]): MolochError {
  const validators = found.filter((name) => name.startsWith('validator-')).length
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`
  return new MolochError(
    'HOMES_EXIST',
    `${dir} has a network of ${count(validators, 'validator')} and ${count(found.length - validators, 'node')}; remove it first or choose another --dir`
  )
}
