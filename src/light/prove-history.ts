import { MAX_KEY_BYTES } from '../chain/event-bounds.ts'
import type { Genesis } from '../chain/genesis.ts'
import { HASH_BYTES } from '../chain/merkle.ts'
import { carriesState, STATE_INDEXES, type StateIndex } from '../chain/state.ts'
import type { HistoryProof } from '../codec/generated/proof.ts'
import type { GetHistoryProof, Proof } from '../codec/generated/sync.ts'
import { hasCode, MolochError } from '../error.ts'
import type { Anchor } from './verify/anchor.ts'
import { keyText } from './verify/history-key.ts'
import { type ProvenPage, verifyHistoryPage, verifyHistoryStart } from './verify/history-proof.ts'
import type { ProofFailure } from './verify/result.ts'

/** Whether an answer holds. May throw what is no fault of who gave it. */
export type HistoryCheck = (answer: HistoryProof) => ProvenPage | ProofFailure | Promise<ProvenPage | ProofFailure>

export interface ProveHistoryPorts {
  readonly genesis: Genesis
  /** The height of the newest trusted header. */
  tipHeight(): number
  /** @throws MolochError UNAVAILABLE */
  trusted(height: number): Promise<Anchor>
  /** Asks one peer after the other until one gives what the check finds no fault in. */
  ask(what: string, request: GetHistoryProof, check: HistoryCheck): Promise<Proof>
}

/** Snapshot heights that are asked for by name, from the newest down, before any that a peer likes to give. */
const NAMED_ANCHORS = 2

/**
 * One page of a history, proven. Without an anchor it is that of the newest snapshot: the newest two heights that can have
 * one are asked for, and only if no peer has either what else they have, so that nobody passes off an old state as the
 * newest while others have that.
 * @throws MolochError BAD_REQUEST, and what `ask` and `trusted` throw
 */
export async function proveHistory(ports: ProveHistoryPorts, request: GetHistoryProof): Promise<Proof> {
  const { index, key, anchorHeight, beforeCount: count, beforeHead: head } = request
  if (!(STATE_INDEXES as readonly number[]).includes(index)) {
    throw new MolochError('BAD_REQUEST', `no index ${index}; accepted: 0 (actor), 1 (resource), 2 (action)`)
  }
  // Looked at here: no peer is to be blamed for refusing what nobody can answer.
  if (key.byteLength > MAX_KEY_BYTES) {
    throw new MolochError('BAD_REQUEST', `a key of ${key.byteLength} bytes; accepted: at most ${MAX_KEY_BYTES}`)
  }
  if (!carriesState(ports.genesis.params, anchorHeight)) {
    const every = ports.genesis.params.snapshotInterval
    throw new MolochError('BAD_REQUEST', `block ${anchorHeight} has no snapshot; accepted: a multiple of ${every}`)
  }
  const asked = { index: index as StateIndex, key }
  const what = `the history of ${keyText(asked)}`
  if (count > 0) {
    if (anchorHeight === 0 || head.byteLength !== HASH_BYTES) {
      throw new MolochError(
        'BAD_REQUEST',
        'a page that goes on is asked for under the anchor of the first, with its head'
      )
    }
    return ports.ask(what, request, (answer) => verifyHistoryPage(answer, anchorHeight, { count, head }))
  }
  const under = async (height: number): Promise<Proof> => {
    const anchor = await ports.trusted(height)
    return ports.ask(what, { ...request, anchorHeight: height }, (answer) =>
      verifyHistoryStart(answer, anchor, ports.genesis, asked)
    )
  }
  if (anchorHeight !== 0) return under(anchorHeight)
  for (const height of newestAnchors(ports)) {
    try {
      return await under(height)
    } catch (error) {
      if (!hasCode(error, 'UNAVAILABLE') && !hasCode(error, 'ANCHOR_TOO_OLD')) throw error
    }
  }
  return ports.ask(what, request, async (answer) => {
    // Above the tip it may be true, and there is nothing yet to check it against.
    const tip = ports.tipHeight()
    const height = answer.anchorHeight
    if (height > tip)
      throw new MolochError('UNAVAILABLE', `its anchor is ${height}; this node has followed the chain to ${tip}`)
    return verifyHistoryStart(answer, await ports.trusted(height), ports.genesis, asked)
  })
}

function newestAnchors({ genesis, tipHeight }: ProveHistoryPorts): number[] {
  const { snapshotInterval } = genesis.params
  const newest = tipHeight() - (tipHeight() % snapshotInterval)
  return Array.from({ length: NAMED_ANCHORS }, (_, i) => newest - i * snapshotInterval).filter((height) => height > 0)
}
