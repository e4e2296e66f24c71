import type { Command } from 'commander'
import { resolveHome } from '../../node/home.ts'
import { resetSigner } from '../../node/signer-tools.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'
import { heightOption } from '../parsers.ts'

interface ResetOptions {
  readonly home?: string
  readonly above?: number
  readonly force?: boolean
  readonly json?: boolean
}

export function signerResetCommand(cli: Cli): Command {
  return newCommand(cli, 'reset', {
    summary:
      'have the key of a stopped validator sign only above a height, whatever its log has; a damaged log is put aside',
    example: 'moloch signer reset --above 120345 --home ~/.moloch'
  })
    .option(
      '--above <height>',
      'this key has signed nothing above it (default: what keys/validator.mark says)',
      heightOption
    )
    .option('--force', 'although this key is known to have signed above it: others can prove that it signs twice')
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: ResetOptions) => {
      const { above, force = false } = options
      const height = await resetSigner(resolveHome(options.home, cli.env), above, force)
      if (options.json) printJson(cli, { signs_above: height })
      else cli.out(`signs only above height ${height}, once the chain has passed it`)
    })
}
