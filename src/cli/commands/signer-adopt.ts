import type { Command } from 'commander'
import { resolveHome } from '../../node/home.ts'
import { adoptSigner } from '../../node/signer-tools.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'

export function signerAdoptCommand(cli: Cli): Command {
  return newCommand(cli, 'adopt', {
    summary:
      "vouch that a stopped validator's log has all that its key has signed: the newest copy, and no other one runs",
    example: 'moloch signer adopt --home ~/.moloch'
  })
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: { home?: string; json?: boolean }) => {
      const height = await adoptSigner(resolveHome(options.home, cli.env))
      if (options.json) printJson(cli, { signed_up_to: height })
      else cli.out(`taken for all that this key has signed: up to height ${height}`)
    })
}
