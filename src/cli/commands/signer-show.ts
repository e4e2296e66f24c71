import type { Command } from 'commander'
import { resolveHome } from '../../node/home.ts'
import { inspectSigner } from '../../node/signer-tools.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'
import { fields } from '../table.ts'

export function signerShowCommand(cli: Cli): Command {
  return newCommand(cli, 'show', {
    summary: 'show how far the key of a stopped validator has signed, and whether that is certain',
    example: 'moloch signer show --home ~/.moloch'
  })
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: { home?: string; json?: boolean }) => {
      const report = await inspectSigner(resolveHome(options.home, cli.env))
      if (options.json) printJson(cli, report)
      else cli.out(fields(Object.entries(report).map(([name, value]) => [name, String(value ?? '-')])))
    })
}
