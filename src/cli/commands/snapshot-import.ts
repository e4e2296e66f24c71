import type { Command } from 'commander'
import { parseCheckpoint } from '../../chain/checkpoint.ts'
import { checkManifest } from '../../chain/snapshot-manifest.ts'
import { MolochError } from '../../error.ts'
import { homePaths, readHomeGenesis, resolveHome } from '../../node/home.ts'
import { withHomeLock } from '../../node/home-lock.ts'
import { SnapshotFile } from '../../store/snapshot-file.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'

const PROGRESS_MS = 2000

export function snapshotImportCommand(cli: Cli): Command {
  return newCommand(cli, 'import', {
    summary: 'let a stopped or new home begin at a snapshot; everything in it is checked against the checkpoint',
    example: `moloch snapshot import chain.snapshot --checkpoint 4100:${'5f'.repeat(32)} --home ~/.moloch`
  })
    .argument('<file>', 'what snapshot export wrote')
    .requiredOption('--checkpoint <HEIGHT:HASH>', 'the block of the snapshot, from a node that you trust')
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (path: string, options: { checkpoint: string; home?: string; json?: boolean }) => {
      const checkpoint = parseCheckpoint(options.checkpoint)
      const home = resolveHome(options.home, cli.env)
      const genesis = readHomeGenesis(home)
      const file = await SnapshotFile.open(path)
      const result = checkManifest(genesis, file.manifest, checkpoint)
      if (!result.ok) {
        throw new MolochError(result.failure.code, `${path} is not what the checkpoint says: ${result.failure.message}`)
      }
      const { manifest } = result
      const { importSnapshot } = await import('../../ledger/snapshot/import-snapshot.ts')
      const { switchDatabase } = await import('../../ledger/snapshot/switch-database.ts')
      const { chain } = homePaths(home)
      const onProgress = progress(cli, manifest.chunks.length)
      const readChunk = (number: number): Promise<Uint8Array | undefined> => file.read(number)
      const report = (line: string): void => cli.err(line)
      const switched = await withHomeLock(home, async () => {
        await importSnapshot({ genesis, manifest, path: chain, readChunk, onProgress })
        return switchDatabase(chain, genesis, { report })
      })
      if (!switched.switched) {
        throw new MolochError('NOT_HIGHER', `${home} has block ${manifest.height} already: nothing has changed`)
      }
      if (options.json) printJson(cli, { height: switched.height, earliest_height: manifest.height })
      else
        cli.out(
          `${home} begins at block ${switched.height}; blocks below it that are not there are fetched when it runs`
        )
    })
}

function progress(cli: Cli, chunks: number): (done: number) => void {
  let last = performance.now()
  return (done) => {
    const now = performance.now()
    if (now - last < PROGRESS_MS) return
    last = now
    cli.err(`imported ${done} of ${chunks} chunks`)
  }
}
