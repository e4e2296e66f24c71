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
    .option('--new-key', 'where log and mark have nothing: this key has never signed anything, here or elsewhere')
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: { newKey?: boolean; home?: string; json?: boolean }) => {
      const height = await adoptSigner(resolveHome(options.home, cli.env), options.newKey ?? false)
      if (options.json) printJson(cli, { signed_up_to: height })
      else if (height === 0) cli.out('taken for a key that has never signed anything')
      else cli.out(`taken for all that this key has signed: up to height ${height}`)
    })
}
