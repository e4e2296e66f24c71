import { setTimeout as delay } from 'node:timers/promises'
import { type Checkpoint, checkpointText } from '../chain/checkpoint.ts'
import type { Genesis } from '../chain/genesis.ts'
import { HeaderChain } from '../chain/header-chain.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { ProofRequests } from '../network/types.ts'
import { type FetchedHeader, fetchHeader } from './fetch-header.ts'

export interface FetchCheckpointPorts {
  readonly genesis: Genesis
  /** Peers that may be asked, with the certified heights that they hold. */
  peers(): { readonly id: string; readonly height: number; readonly earliest: number }[]
  readonly getHeaders: ProofRequests['getHeaders']
  penalise(peer: string, code: string, message: string): void
  readonly log: Log
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
): Promise<FetchedHeader> {
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
): Promise<FetchedHeader | undefined> {
  const { genesis, log, penalise } = ports
  let fetched: FetchedHeader
  try {
    fetched = await fetchHeader(genesis, ports.getHeaders, peer, checkpoint.height, signal)
  } catch (error) {
    if (error instanceof MolochError) penalise(peer, error.code, messageOf(error))
    log.debug({ peer, err: messageOf(error) }, 'a peer does not give the checkpoint')
    return undefined
  }
  const { header, peaks } = fetched
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
