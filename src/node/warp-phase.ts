import type { Api } from '../api/app.ts'
import type { Checkpoint } from '../chain/checkpoint.ts'
import type { Network } from '../network/types.ts'
import type { VerifyPool } from '../verify/pool.ts'
import type { NodeInput } from './node-input.ts'
import { warpSource } from './warp-source.ts'
import { runWarp, warpOf } from './warp-start.ts'

/**
 * Starts the network and warps, while the API shows how far it is. Both go on afterwards.
 * @throws as runWarp; MolochError LISTEN_FAILED
 */
export async function warpFirst(
  input: NodeInput,
  network: Network,
  verify: VerifyPool,
  checkpoint: Checkpoint,
  api: Api
): Promise<void> {
  const { home, closers } = input
  const { genesis, chainKey, validatorKey } = home
  const role = validatorKey === undefined ? 'observer' : 'validator'
  const warp = warpOf(input, checkpoint, network, verify)
  closers.add('API requests', () => api.close())
  await api.show(warpSource({ genesis, network, warp, checkpoint: checkpoint.height, role, chainKey }))
  await network.start()
  await runWarp(warp, network, input)
}
