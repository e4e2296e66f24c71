import type { Command } from 'commander'
import type { ApiOptions } from '../client.ts'
import { collect, HOME_OPTION, URL_OPTION } from '../command.ts'
import { durationOption } from '../parsers.ts'

export interface ObserveOptions extends ApiOptions {
  readonly genesis?: string
  readonly listen?: readonly string[]
  /** Seconds. */
  readonly for?: number
}

/** What every command that observes a network is told. */
export function addObserveOptions(command: Command): Command {
  return command
    .argument('[multiaddr...]', "peers to connect to (default: the node of --url or --home, at its status' addresses)")
    .option('--genesis <file>', "the chain's genesis (default: asked of the node of --url or --home)")
    .option('--listen <multiaddr>', 'let peers connect here; repeat for more (default: nowhere)', collect)
    .option('--for <time>', 'end after 60s, 15m, 24h or 7d (default: with SIGINT or SIGTERM)', durationOption)
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
}
