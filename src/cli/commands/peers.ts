import type { Command } from 'commander'
import { type PeerJson, PeersJson } from '../../api/schemas.ts'
import { type Cli, printJson } from '../cli.ts'
import { type ApiOptions, apiClient } from '../client.ts'
import { HOME_OPTION, JSON_OPTION, newCommand, URL_OPTION } from '../command.ts'
import { table } from '../table.ts'

export function peersCommand(cli: Cli): Command {
  const list = listCommand(cli, 'list')
  return listCommand(cli, 'peers').helpCommand(false).addCommand(list)
}

/** `moloch peers` is `moloch peers list`. */
function listCommand(cli: Cli, name: string): Command {
  return newCommand(cli, name, { summary: 'list the peers of a running node', example: 'moloch peers --json' })
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
    .option(...JSON_OPTION)
    .action(async (_, command: Command) => {
      const options = command.optsWithGlobals<ApiOptions & { json?: boolean }>()
      const { peers } = await apiClient(cli, options).get('/v1/peers', PeersJson)
      if (options.json) printJson(cli, { peers })
      else if (peers.length === 0) cli.err('no peers')
      else cli.out(table(COLUMNS, peers.map(row)))
    })
}

const COLUMNS = ['PEER', 'STATE', 'HEIGHT', 'MODE', 'SCORE', 'VALIDATOR', 'DIRECTION', 'ADDRESS']

function row(peer: PeerJson): string[] {
  return [
    peer.peer_id,
    peer.state,
    String(peer.height),
    peer.mode ?? '-',
    peer.score.toFixed(1),
    peer.validator ?? '-',
    peer.direction,
    peer.address
  ]
}
