import { constants } from 'node:fs'
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { checkChunk } from '../../chain/snapshot-chunks.ts'
import { MolochError, messageOf } from '../../error.ts'
import { homePaths, readHomeGenesis, resolveHome } from '../../node/home.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'
import { heightOption } from '../parsers.ts'
import { listSnapshots, openSnapshot } from '../snapshot-files.ts'

export function snapshotExportCommand(cli: Cli): Command {
  return newCommand(cli, 'export', {
    summary: 'copy a snapshot into one file that another home can import, and check the copy',
    example: 'moloch snapshot export --out chain.snapshot'
  })
    .option('--height <height>', 'of the snapshot (default: the newest)', heightOption)
    .requiredOption('--out <file>', 'file to write; it must not be there')
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: { height?: number; out: string; home?: string; json?: boolean }) => {
      const home = resolveHome(options.home, cli.env)
      const genesis = readHomeGenesis(home)
      const folder = homePaths(home).snapshots
      const found = await listSnapshots(folder, genesis)
      const wanted = found.find(({ height }) => options.height === undefined || height === options.height)
      if (wanted === undefined) {
        const heights = found.map(({ height }) => height).join(', ')
        const which = options.height === undefined ? 'no snapshot' : `no snapshot of block ${options.height}`
        throw new MolochError('NO_SNAPSHOT', `${which} in ${folder}; there are: ${heights || 'none'}`)
      }
      await copy(join(folder, `${wanted.height}.snapshot`), options.out)
      try {
        const { file, manifest } = await openSnapshot(options.out, genesis)
        for (let number = 0; number < file.chunks; number++) {
          const data = await file.read(number)
          const check = data && checkChunk(genesis, manifest.chunks, number, data)
          if (check?.ok !== true) throw new MolochError('SNAPSHOT_DAMAGED', `chunk ${number} of the copy is damaged`)
        }
      } catch (error) {
        await rm(options.out, { force: true })
        throw error
      }
      if (options.json) printJson(cli, { ...wanted, file: options.out })
      else cli.out(`${options.out}: ${wanted.bytes} bytes, to be imported with --checkpoint ${wanted.checkpoint}`)
    })
}

async function copy(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL)
  } catch (error) {
    throw new MolochError(
      'CANNOT_WRITE',
      `${to} cannot be written: ${messageOf(error)}; a file that is not there is accepted`
    )
  }
}
