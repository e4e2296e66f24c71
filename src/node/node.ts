import type { Log } from '../log.ts'
import { Closers } from './closers.ts'
import type { Config } from './config/schema.ts'
import { buildFullNode } from './full-node.ts'
import { openHome } from './home.ts'
import { HomeLock } from './home-lock.ts'
import { buildLightNode } from './light-node.ts'
import { createLogger } from './logger.ts'
import type { NodeInput } from './node-input.ts'
import { checkOpenFiles } from './open-files.ts'
import type { RunningNode } from './running.ts'
import type { NodeTuning } from './tuning.ts'

export type { NodeTuning } from './tuning.ts'

export type StartOptions = Partial<Pick<NodeInput, 'signal' | 'onStarting'>>

/**
 * Starts a node from its home. When this resolves, its API answers and it accepts peers; whether it has caught up is
 * for `/health/ready` to say.
 * @throws MolochError, one line about the first thing that is wrong; what was started is stopped again
 */
export async function startNode(
  config: Config,
  log: Log = createLogger(config.log),
  tuning: NodeTuning = {},
  { signal = new AbortController().signal, onStarting }: StartOptions = {}
): Promise<RunningNode> {
  const closers = new Closers(log)
  try {
    await checkOpenFiles(config, log)
    const home = openHome(config.home)
    // Before anything is changed, and given up last.
    const lock = await HomeLock.take(config.home)
    closers.add('the lock on the home', () => lock.release())
    const input = { config, home, log, closers, tuning, signal, onStarting }
    return await (config.mode === 'light' ? buildLightNode(input) : buildFullNode(input))
  } catch (error) {
    await closers.close()
    throw error
  }
}
