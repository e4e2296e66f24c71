import { setTimeout as delay } from 'node:timers/promises'
import { type CheckedHeader, checkHeader } from '../chain/check-header.ts'
import { type Checkpoint, checkpointText } from '../chain/checkpoint.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { HeaderChain } from '../chain/header-chain.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { ProofRequests } from '../network/types.ts'

export interface FetchCheckpointPorts {
  readonly genesis: Genesis
  /** Peers that may be asked, with the certified heights that they hold. */
  peers(): { readonly id: string; readonly height: number; readonly earliest: number }[]
  readonly getHeaders: ProofRequests['getHeaders']
  penalise(peer: string, code: string, message: string): void
  readonly log: Log
}

/** The checkpoint's header, and what its mmr_root commits to. */
export interface CheckpointStart {
  readonly header: CheckedHeader
  readonly peaks: readonly Uint8Array[]
}

/** With peers that all lack it for this long, somebody should hear of it. No peers at all is a matter of waiting. */
const GIVE_UP_MS = 10_000
/** A peer that could not serve it is asked again after this. */
const AGAIN_MS = 2_000
const POLL_MS = 100

/**
 * Gets the header that a checkpoint names from whatever peer has it. A certified header of that height with another hash
 * ends it at once: either the checkpoint is wrong or the chain is.
 * @throws MolochError WRONG_CHECKPOINT | CHECKPOINT_UNAVAILABLE, one line with what was expected and what peers offer;
 * ABORTED
 */
export async function fetchCheckpoint(
  ports: FetchCheckpointPorts,
  checkpoint: Checkpoint,
  signal: AbortSignal
): Promise<CheckpointStart> {
  const asked = new Map<string, number>()
  let lacking: number | undefined
  while (!signal.aborted) {
    for (const { id, height, earliest } of ports.peers()) {
      const now = performance.now()
      if (now - (asked.get(id) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) continue
      asked.set(id, now)
      if (height < checkpoint.height || earliest > checkpoint.height) {
        lacking ??= now
        continue
      }
      const start = await askOne(ports, id, checkpoint, signal)
      if (start !== undefined) return start
      lacking ??= now
    }
    if (ports.peers().length === 0) lacking = undefined
    if (lacking !== undefined && performance.now() - lacking > GIVE_UP_MS) throw unavailable(ports, checkpoint)
    await delay(POLL_MS, undefined, { signal }).catch(() => {})
  }
  throw new MolochError('ABORTED', 'the checkpoint is not asked for any more')
}

async function askOne(
  ports: FetchCheckpointPorts,
  peer: string,
  checkpoint: Checkpoint,
  signal: AbortSignal
): Promise<CheckpointStart | undefined> {
  const { genesis, log, penalise } = ports
  let bytes: Uint8Array | undefined
  let peaks: readonly Uint8Array[] = []
  try {
    for await (const frame of ports.getHeaders(peer, { start: checkpoint.height, count: 1 }, { signal })) {
      bytes = frame.headers[0]
      peaks = frame.peaks
      break
    }
  } catch (error) {
    if (error instanceof MolochError) penalise(peer, error.code, messageOf(error))
    log.debug({ peer, err: messageOf(error) }, 'a peer does not give the checkpoint')
    return undefined
  }
  if (bytes === undefined) return undefined
  const checked = checkHeader(genesis, bytes)
  const failure: Failure | undefined = checked.ok ? checked.header.deferred : checked.failure
  if (!checked.ok || failure !== undefined) {
    if (failure !== undefined) penalise(peer, failure.code, failure.message)
    return undefined
  }
  const { header } = checked
  if (header.height !== checkpoint.height) {
    penalise(peer, 'BAD_HEIGHT', `a header of height ${header.height} where ${checkpoint.height} was asked for`)
    return undefined
  }
  if (!equalBytes(header.hash, checkpoint.hash)) {
    throw new MolochError(
      'WRONG_CHECKPOINT',
      `block ${checkpoint.height} is not the checkpoint's: expected ${toHex(checkpoint.hash)}, but the validators certified ` +
        `${toHex(header.hash)}; compare with the output of "moloch checkpoint show" at a node that you trust`,
      { expected: checkpointText(checkpoint), certified: checkpointText(header), peer }
    )
  }
  const chain = HeaderChain.at(genesis, header, peaks)
  if (!(chain instanceof HeaderChain)) {
    penalise(peer, chain.code, chain.message)
    return undefined
  }
  return { header, peaks }
}

function unavailable(ports: FetchCheckpointPorts, checkpoint: Checkpoint): MolochError {
  const peers = ports.peers()
  const highest = Math.max(0, ...peers.map(({ height }) => height))
  const earliest = Math.min(...peers.map((peer) => peer.earliest))
  return new MolochError(
    'CHECKPOINT_UNAVAILABLE',
    `no peer shows the checkpoint ${checkpointText(checkpoint)}: ${peers.length} connected, they hold blocks ${earliest} to ` +
      `${highest}; give a checkpoint within that, or other peers`,
    { expected: checkpointText(checkpoint), earliest, highest }
  )
}
