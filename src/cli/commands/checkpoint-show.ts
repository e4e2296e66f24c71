import type { Command } from 'commander'
import { CheckpointJson } from '../../api/proof-schemas.ts'
import { ageText, timeText } from '../../time-text.ts'
import { type Cli, printJson } from '../cli.ts'
import { type ApiOptions, apiClient } from '../client.ts'
import { HOME_OPTION, JSON_OPTION, newCommand, URL_OPTION } from '../command.ts'
import { fields } from '../table.ts'

export function checkpointShowCommand(cli: Cli): Command {
  return newCommand(cli, 'show', {
    summary:
      'show the newest final block of a node for light nodes to trust, and its newest snapshot for nodes that warp',
    example: 'moloch checkpoint show --url http://127.0.0.1:8645'
  })
    .option(...HOME_OPTION)
    .option(...URL_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: ApiOptions & { json?: boolean }) => {
      const checkpoint = await apiClient(cli, options).get('/v1/checkpoint', CheckpointJson)
      if (options.json) printJson(cli, checkpoint)
      else cli.out(describe(checkpoint))
    })
}

function describe(shown: CheckpointJson): string {
  return fields([
    ['checkpoint', shown.checkpoint],
    ['time', `${timeText(shown.timestamp)} (${ageText(Date.now() - shown.timestamp)} ago)`],
    ['chain', `${shown.chain_id} (genesis ${shown.genesis_hash})`],
    ['light node', `--mode light --checkpoint ${shown.checkpoint}`],
    ['full node', shown.snapshot === null ? 'no snapshot here yet' : `--mode warp --checkpoint ${shown.snapshot}`]
  ])
}
