import type { Command } from 'commander'
import { VERSION } from '../../node/version.ts'
import { type Cli, printJson } from '../cli.ts'
import { JSON_OPTION, newCommand } from '../command.ts'

export function versionCommand(cli: Cli): Command {
  return newCommand(cli, 'version', { summary: 'show the version', example: 'moloch version' })
    .option(...JSON_OPTION)
    .action((options: { json?: boolean }) => {
      if (options.json) printJson(cli, { version: VERSION, node: process.version, platform: process.platform })
      else cli.out(`moloch ${VERSION} (node ${process.version})`)
    })
}
