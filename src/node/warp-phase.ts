import { Api } from '../api/app.ts'
import type { Checkpoint } from '../chain/checkpoint.ts'
import type { Network } from '../network/types.ts'
import type { VerifyPool } from '../verify/pool.ts'
import type { NodeInput } from './node-input.ts'
import { warpSource } from './warp-source.ts'
import { runWarp, warpOf } from './warp-start.ts'

/**
 * Starts the network and warps, with an API that shows how far it is. The network goes on afterwards; that API is closed,
 * for one of the whole node to take its place.
 * @returns the port of the API
 * @throws as runWarp; MolochError LISTEN_FAILED
 */
export async function warpFirst(
  input: NodeInput,
  network: Network,
  verify: VerifyPool,
  checkpoint: Checkpoint
): Promise<number> {
  const { config, home, log } = input
  const { genesis, chainKey, validatorKey } = home
  const role = validatorKey === undefined ? 'observer' : 'validator'
  const warp = warpOf(input, checkpoint, network, verify)
  const api = new Api(
    warpSource({ genesis, network, warp, checkpoint: checkpoint.height, role, chainKey }),
    config.api,
    log
  )
  const url = await api.listen()
  try {
    await network.start()
    await runWarp(warp, network, input)
  } finally {
    await api.close()
  }
  return Number(new URL(url).port)
}
