import { join } from 'node:path'
import type { Command } from 'commander'
import { MolochError } from '../../error.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { silentLog } from '../../log.ts'
import { homePaths, readHomeGenesis, resolveHome } from '../../node/home.ts'
import { withHomeLock } from '../../node/home-lock.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'
import { openSnapshot, shown } from '../snapshot-files.ts'

/** A stopped node's are not removed by this: there may be a reason why they are there. */
const KEEP = 1_000_000

export function snapshotCreateCommand(cli: Cli): Command {
  return newCommand(cli, 'create', {
    summary: 'build a snapshot of a stopped node; a running one builds them by itself',
    example: 'moloch snapshot create --home ~/.moloch'
  })
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: { home?: string; json?: boolean }) => {
      const home = resolveHome(options.home, cli.env)
      const genesis = readHomeGenesis(home)
      const { chain: path, snapshots: folder } = homePaths(home)
      const { Ledger } = await import('../../ledger/ledger.ts')
      const open = () =>
        Ledger.open({ path, genesis, log: silentLog, create: false, snapshots: { folder, keep: KEEP } })
      const height = await withHomeLock(home, async () => build(await open()))
      const built = shown(await openSnapshot(join(folder, `${height}.snapshot`), genesis))
      if (options.json) printJson(cli, built)
      else cli.out(`${built.file}: ${built.bytes} bytes, to be imported with --checkpoint ${built.checkpoint}`)
    })
}

/** @returns its height; the ledger is closed by then @throws MolochError NO_SNAPSHOT */
async function build(ledger: Ledger): Promise<number> {
  try {
    const height = await ledger.snapshots?.build()
    if (height !== undefined) return height
    const tip = ledger.tip.height
    const interval = ledger.genesis.params.snapshotInterval
    throw new MolochError(
      'NO_SNAPSHOT',
      `no snapshot can be built at block ${tip}: the state that is written is not that of a multiple of ${interval}; let the node run past the next one`
    )
  } finally {
    await ledger.close()
  }
}
