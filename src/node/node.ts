import type { Log } from '../log.ts'
import { Closers } from './closers.ts'
import type { Config } from './config/schema.ts'
import { buildFullNode } from './full-node.ts'
import { openHome } from './home.ts'
import { buildLightNode } from './light-node.ts'
import { createLogger } from './logger.ts'
import type { RunningNode } from './running.ts'
import type { NodeTuning } from './tuning.ts'

export type { NodeTuning } from './tuning.ts'

/**
 * Starts a node from its home. When this resolves, its API answers and it accepts peers; whether it has caught up is
 * for `/health/ready` to say.
 * @param signal ends a start that waits for something, such as a peer that shows the checkpoint
 * @throws MolochError, one line about the first thing that is wrong; what was started is stopped again
 */
export async function startNode(
  config: Config,
  log: Log = createLogger(config.log),
  tuning: NodeTuning = {},
  signal: AbortSignal = new AbortController().signal
): Promise<RunningNode> {
  const closers = new Closers(log)
  try {
    const input = { config, home: openHome(config.home), log, closers, tuning }
    return await (config.mode === 'light' ? buildLightNode({ ...input, signal }) : buildFullNode(input))
  } catch (error) {
    await closers.close()
    throw error
  }
}
