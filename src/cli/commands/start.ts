import type { Command } from 'commander'
import { scope } from '../../chain/genesis.ts'
import { hasCode, MolochError } from '../../error.ts'
import { stderrTerminal } from '../../lines.ts'
import { loadConfig } from '../../node/config/load.ts'
import { homePaths, resolveHome } from '../../node/home.ts'
import type { RunningNode } from '../../node/running.ts'
import { VERSION } from '../../node/version.ts'
import { type Cli, EXIT } from '../cli.ts'
import { HOME_OPTION, newCommand } from '../command.ts'
import { liveLine } from '../live-line.ts'
import { addSettingOptions } from '../setting-options.ts'
import { firstSignal, stopInOrder } from '../shutdown.ts'

export function startCommand(cli: Cli): Command {
  const command = newCommand(cli, 'start', {
    summary: 'run a node until SIGINT or SIGTERM; a second one ends it at once',
    example: 'moloch start --home ~/.moloch --log-level debug'
  }).option(...HOME_OPTION)
  const settings = addSettingOptions(command)
  return command.action(async (options: { home?: string }) => {
    const home = resolveHome(options.home, cli.env)
    const flags = settings.given()
    const { config } = loadConfig({ home, flags, env: cli.env, file: homePaths(home).config })
    const signal = firstSignal((second) => {
      cli.err(`${second}: stopped at once`)
      process.exit(EXIT.fault)
    })
    const { startNode } = await import('../../node/node.ts')
    const giveUp = new AbortController()
    // Whoever reads what is said may leave, and the node goes on.
    cli.outlive()
    const show = process.stderr.isTTY && config.log.format !== 'json' ? liveLine(stderrTerminal) : undefined
    const starting = startNode(config, undefined, undefined, { signal: giveUp.signal, onStarting: show }).catch(explain)
    const early = await Promise.race([signal, starting.then(() => undefined)])
    if (early !== undefined) giveUp.abort()
    const node = await starting.catch((error: unknown) => {
      if (early === undefined || !hasCode(error, 'ABORTED')) throw error
      cli.err(`${early}: stopped before the node ran`)
      process.exit(EXIT.ok)
    })
    if (early === undefined) cli.out(ready(node))
    if (show !== undefined) node.onProgress(show)
    const name = await signal
    show?.(undefined)
    cli.err(`${name}: stopping; again to stop at once`)
    const inTime = await stopInOrder(cli, node)
    // Whatever still holds the process open (a library's timer, a worker) has nothing left to do.
    if (!inTime) throw new MolochError('STOP_TIMEOUT', 'the node did not stop in time')
    process.exit(EXIT.ok)
  })
}

/** What the floors below cannot know: how one says so here. */
function explain(error: unknown): never {
  if (!hasCode(error, 'SIGNER_MISSING')) throw error
  throw new MolochError(error.code, `${error.message}: --new-signer-log`, error.details)
}

function ready(node: RunningNode): string {
  const addresses = node.addresses().join(' ')
  return `moloch ${VERSION} ready: ${node.role} of ${scope(node.genesis)} at height ${node.height}, API ${node.apiUrl}, ${addresses}`
}
