/** How a node of mode "warp" comes to a chain that begins at a snapshot. */
import { existsSync } from 'node:fs'
import { type Checkpoint, checkpointText, parseCheckpoint } from '../chain/checkpoint.ts'
import { equalBytes } from '../codec/bytes.ts'
import { isCalledOff, MolochError } from '../error.ts'
import { peekChain } from '../ledger/snapshot/peek-chain.ts'
import { settleImport } from '../ledger/snapshot/settle-import.ts'
import type { Log } from '../log.ts'
import type { Network, PeerView } from '../network/types.ts'
import { Staging } from '../sync/warp/staging.ts'
import { Warp } from '../sync/warp/warp.ts'
import type { VerifyPool } from '../verify/pool.ts'
import type { NodeInput } from './node-input.ts'

/**
 * The checkpoint to warp to; undefined: there is nothing to do, the chain in `data/chain` is past it.
 * @throws MolochError BAD_CONFIG without a checkpoint; WRONG_CHECKPOINT if the chain that is here has another block there
 */
export async function warpTarget({ config, home, log, signal }: NodeInput): Promise<Checkpoint | undefined> {
  if (config.checkpoint === '') {
    throw new MolochError(
      'BAD_CONFIG',
      'mode = "warp" needs a checkpoint: HEIGHT:HASH as "moloch checkpoint show" prints it at a node that you trust'
    )
  }
  const { paths, genesis } = home
  const wanted = parseCheckpoint(config.checkpoint)
  await settleImport(paths.chain, genesis, { checkpoint: wanted, report: (line) => log.info({}, line), signal })
  const { height, hash } = await peekChain(paths.chain, genesis, wanted.height)
  if (hash === undefined || height === 0) return wanted
  if (!equalBytes(hash, wanted.hash)) {
    const ours = checkpointText({ height: wanted.height, hash })
    const message = `the chain here is another than the checkpoint's: expected ${checkpointText(wanted)}, it has ${ours}`
    throw new MolochError('WRONG_CHECKPOINT', message)
  }
  await dropWarp(paths.warp, log)
  return undefined
}

/** Removes the chunks of a warp that was not finished: somebody gave it up for another mode, or a full sync. */
export async function dropWarp(folder: string, log: Log): Promise<void> {
  if (!existsSync(folder)) return
  await Staging.remove(folder)
  log.info({ folder }, 'the chunks of an unfinished warp are removed: they are not needed any more')
}

/** A warp from the peers of a network, not begun. */
export function warpOf(
  { home, log, tuning }: NodeInput,
  checkpoint: Checkpoint,
  network: Network,
  verify: VerifyPool
): Warp {
  const { paths, genesis } = home
  return new Warp(
    { genesis, network, checkChunk: (plan, data) => verify.checkChunk(plan, data), log },
    { checkpoint, path: paths.chain, folder: paths.warp, ...tuning.warp }
  )
}

/**
 * Warps to a snapshot at the checkpoint or above it. If no peer has one the chain stays as it is, and all blocks are to be
 * synced: the log says so.
 * @throws MolochError WRONG_CHECKPOINT | CHECKPOINT_UNAVAILABLE | CHECKPOINT_UNPROVEN, one line with what was expected and what peers offer;
 * ABORTED; a StoreErrorCode
 */
export async function runWarp(warp: Warp, network: Network, { log, signal, onStarting }: NodeInput): Promise<void> {
  const source = ({ peerId, source, height, earliestHeight, syncing }: PeerView): void => {
    if (source) warp.setPeer({ id: peerId, height, earliest: earliestHeight, syncing })
  }
  const listeners = [
    network.sessions.on('update', source),
    network.sessions.on('closed', ({ peerId }) => warp.removePeer(peerId)),
    network.on('unbanned', (peer) => warp.pardon(peer)),
    warp.on('penalise', (peer, { code, message }) => network.penalise(peer, code, message)),
    ...(onStarting ? [warp.on('progress', (_, line) => onStarting(`warp ${line}`))] : [])
  ]
  for (const peer of network.sessions.list()) source(peer)
  try {
    const outcome = await warp.run(signal)
    if (outcome.kind === 'wrong-checkpoint') {
      const { expected, certified, peer } = outcome
      throw new MolochError('WRONG_CHECKPOINT', outcome.message, { expected, certified, peer })
    }
    if (outcome.kind !== 'none') return
    if (outcome.code === 'CHECKPOINT_UNAVAILABLE' || outcome.code === 'CHECKPOINT_UNPROVEN') {
      throw new MolochError(outcome.code, `${outcome.message}; give a checkpoint of their chain, or other peers`)
    }
    if (outcome.code === 'NO_SNAPSHOT')
      log.warn({ code: outcome.code }, `${outcome.message}; all blocks are synced instead`)
    else log.info({ code: outcome.code }, outcome.message)
  } catch (error) {
    if (!isCalledOff(error, signal)) throw error
    throw new MolochError('ABORTED', 'the warp was called off; what is here of it is used the next time')
  } finally {
    for (const off of listeners) off()
    onStarting?.(undefined)
  }
}
