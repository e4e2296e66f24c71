import type { Command } from 'commander'
import { homePaths, readHomeGenesis, resolveHome } from '../../node/home.ts'
import { timeText } from '../../time-text.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'
import { listSnapshots } from '../snapshot-files.ts'

export function snapshotListCommand(cli: Cli): Command {
  return newCommand(cli, 'list', {
    summary: 'list the snapshots of a home, newest first',
    example: 'moloch snapshot list --home ~/.moloch'
  })
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: { home?: string; json?: boolean }) => {
      const home = resolveHome(options.home, cli.env)
      const found = await listSnapshots(homePaths(home).snapshots, readHomeGenesis(home))
      if (options.json) printJson(cli, { snapshots: found })
      else if (found.length === 0) cli.err(`no snapshot in ${homePaths(home).snapshots}`)
      else {
        for (const { checkpoint, timestamp, events, bytes } of found) {
          cli.out(`${checkpoint}  ${timeText(timestamp)}  ${events} events  ${bytes} bytes`)
        }
      }
    })
}
