import { accessSync, constants, existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Command } from 'commander'
import { MolochError } from '../../error.ts'
import { homePaths, readHomeGenesis, resolveHome } from '../../node/home.ts'
import { withHomeLock } from '../../node/home-lock.ts'
import { type Cli, printJson } from '../cli.ts'
import { HOME_OPTION, JSON_OPTION, newCommand } from '../command.ts'

/** More threads than this wait for the disk, not for each other. */
const MAX_WORKERS = 4
const PROGRESS_MS = 2000

export function dbVerifyCommand(cli: Cli): Command {
  return newCommand(cli, 'verify', {
    summary: "check a stopped node's whole database from genesis: every block, signature and index",
    example: 'moloch db verify --home ~/.moloch'
  })
    .option(...HOME_OPTION)
    .option(...JSON_OPTION)
    .action(async (options: { home?: string; json?: boolean }) => {
      const home = resolveHome(options.home, cli.env)
      const genesis = readHomeGenesis(home)
      const { verifyHome } = await import('../../ledger/verify/verify.ts')
      const { VerifyPool } = await import('../../verify/pool.ts')
      const pool = new VerifyPool({ genesisJson: genesis.json, size: Math.min(MAX_WORKERS, availableParallelism()) })
      try {
        const { chain: path } = homePaths(home)
        const check = (frames: Parameters<typeof pool.check>[0]) => pool.check(frames, { verifyEvents: true })
        const verify = (readOnly = false) => verifyHome({ path, genesis, check, readOnly, onProgress: progress(cli) })
        const report = await verifyLocked(cli, home, verify)
        const { height, events, fault } = report
        if (options.json) printJson(cli, { ok: fault === undefined, height, events, fault: fault ?? null })
        if (fault !== undefined)
          throw new MolochError('VERIFY_FAILED', `${home} is sound up to block ${height}; then ${fault}`)
        if (!options.json) cli.out(`${home} is sound: ${height} blocks, ${events} events`)
      } finally {
        await pool.close()
      }
    })
}

/** Keeps others from the home meanwhile, where that is possible. */
async function verifyLocked<Report>(
  cli: Cli,
  home: string,
  verify: (readOnly?: boolean) => Promise<Report>
): Promise<Report> {
  const { chain } = homePaths(home)
  // There is nothing to keep others from, and nothing is to be left behind.
  if (!existsSync(chain)) return verify()
  if (isWritable(chain)) return withHomeLock(home, () => verify())
  cli.err(
    `${chain} cannot be written to: nothing there is changed, and nothing keeps a node that can from changing it meanwhile`
  )
  return verify(true)
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** A line now and then: a long chain takes minutes. */
function progress(cli: Cli): (at: { height: number; target: number }) => void {
  let last = performance.now()
  return ({ height, target }) => {
    const now = performance.now()
    if (now - last < PROGRESS_MS) return
    last = now
    cli.err(`verified ${height} of ${target} blocks`)
  }
}
