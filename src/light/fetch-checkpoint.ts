import { setMaxListeners } from 'node:events'
import { type Checkpoint, checkpointText } from '../chain/checkpoint.ts'
import type { Genesis } from '../chain/genesis.ts'
import { headerChainAt } from '../chain/header-chain.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { ProofRequests } from '../network/types.ts'
import { withinAnswerTime } from './answer-time.ts'
import { type FetchedHeader, fetchHeader } from './fetch-header.ts'
import type { Holder } from './holders.ts'

export interface FetchCheckpointPorts {
  readonly genesis: Genesis
  /** Peers that may be asked. */
  peers(): Holder[]
  readonly getHeaders: ProofRequests['getHeaders']
  penalise(peer: string, code: string, message: string): void
  readonly log: Log
}

/** Connected to peers for this long and none shows it: somebody should hear of it. No peers at all is a matter of waiting. */
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
  // When each may be asked again.
  const next = new Map<string, number>()
  const ending = new AbortController()
  const ends = AbortSignal.any([signal, ending.signal])
  // Each peer that is being asked is one.
  setMaxListeners(0, ends)
  let answer: Promise<FetchedHeader> | undefined
  let since: number | undefined
  try {
    while (!signal.aborted) {
      const now = performance.now()
      const peers = ports.peers()
      since = peers.length === 0 ? undefined : (since ?? now)
      for (const { id, height, earliest } of peers) {
        if (height < checkpoint.height || earliest > checkpoint.height || now < (next.get(id) ?? 0)) continue
        next.set(id, Number.POSITIVE_INFINITY)
        // All at once: those that say nothing keep nobody from the one that has it.
        void askOne(ports, id, checkpoint, ends).then(
          (found) => {
            next.set(id, performance.now() + AGAIN_MS)
            if (found !== undefined) answer ??= Promise.resolve(found)
          },
          (error: unknown) => {
            answer ??= Promise.reject(error)
            answer.catch(() => {})
          }
        )
      }
      await pause(POLL_MS, signal)
      if (answer !== undefined) return await answer
      if (since !== undefined && performance.now() - since > GIVE_UP_MS) throw unavailable(ports, checkpoint)
    }
  } finally {
    ending.abort()
  }
  throw new MolochError('ABORTED', 'the checkpoint is not asked for any more')
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
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
    const ask = (ends: AbortSignal) => fetchHeader(genesis, ports.getHeaders, peer, checkpoint.height, ends)
    fetched = await withinAnswerTime(ask, signal)
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
  // All that whoever begins here will look at: a peer's lie must not be found out when no other peer is asked any more.
  const chain = headerChainAt(genesis, header, peaks)
  if ('code' in chain) {
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
