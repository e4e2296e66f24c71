import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { newCommand } from '../command.ts'
import {
  assertPeers,
  type Filter,
  heightsOption,
  MESSAGE_TYPES,
  passes,
  peerOption,
  topicsOption,
  typesOption
} from '../gossip/filter.ts'
import { jsonLine } from '../gossip/json-line.ts'
import { addObserveOptions, type ObserveOptions } from '../gossip/options.ts'
import { textLine } from '../gossip/text-line.ts'
import { wholeNumber } from '../parsers.ts'

interface WatchOptions extends ObserveOptions, Filter {
  readonly count?: number
  readonly json?: boolean
}

export function gossipWatchCommand(cli: Cli): Command {
  const command = newCommand(cli, 'watch', {
    summary: 'show the gossip of a network as it comes, checked and decoded, and what was missed of it',
    example: 'moloch gossip watch --url http://127.0.0.1:8645 --topic block,finalized --for 60s'
  })
  return addObserveOptions(command)
    .option('--topic <topics>', 'only these: events, block, vote, finalized, header', topicsOption)
    .option('--type <types>', `only these: ${MESSAGE_TYPES.join(', ')}`, typesOption)
    .option('--peer <peer>', 'only what came by this peer: its id, the end of it, or a validator; repeat', peerOption)
    .option('--height <from-to>', 'only of these heights: N, FROM-TO or FROM-', heightsOption)
    .option('--count <n>', 'end after so many messages', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print one JSON object a line')
    .action((peers: readonly string[], options: WatchOptions) => watch(cli, peers, options))
}

async function watch(cli: Cli, peers: readonly string[], options: WatchOptions): Promise<void> {
  const { findTarget } = await import('../gossip/connect.ts')
  const { observe } = await import('../gossip/observe.ts')
  const target = await findTarget(cli, peers, options)
  const { validators } = target.genesis
  assertPeers(options, validators)
  let left = options.count ?? Number.POSITIVE_INFINITY
  let unread = 0
  const sayUnread = (): void => {
    if (unread > 0) cli.err(`${unread} observations are left out: those before them were not read in time`)
    unread = 0
  }
  await observe(cli, target, {
    seconds: options.for,
    attach: (observer, end) =>
      observer.on('observed', (observation) => {
        if (!passes(options, observation, validators)) return
        if (cli.isBehind()) {
          unread++
          return
        }
        sayUnread()
        const isMessage = observation.type === 'message' || observation.type === 'rejected'
        // What is missed is told to the end.
        if (isMessage && left-- <= 0) return
        cli.out(options.json ? JSON.stringify(jsonLine(observation, validators)) : textLine(observation, validators))
        if (isMessage && left === 0) end()
      })
  })
  sayUnread()
}
