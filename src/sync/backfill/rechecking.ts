import { setImmediate as nextTurn } from 'node:timers/promises'
import { BucketTrie } from '../../chain/bucket-trie.ts'
import { stateRootHash } from '../../chain/domain.ts'
import { KeyRuns } from '../../chain/key-runs.ts'
import { HASH_BYTES } from '../../chain/merkle.ts'
import { STATE_INDEXES } from '../../chain/state.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import { giveWay } from './give-way.ts'
import type { BackfillPorts } from './types.ts'

/** Work between two turns of the event loop. */
const SLICE_MS = 8
/** Hashes of tree nodes between two turns: some milliseconds. */
const HASHES_A_TURN = 4000
const KEY_HASHES = STATE_INDEXES.length * HASH_BYTES

export interface RecheckParts extends Pick<BackfillPorts, 'genesis' | 'history' | 'headerAt'> {
  readonly checker: Pick<BackfillPorts['checker'], 'checkHistory'>
  /** Resolves when it may go on. */
  readonly turn: () => Promise<void>
}

/**
 * Folds the events of all history into the three indexes and compares their root with what the checkpoint's chain says
 * of the state then: the last header at or below `base` that carries a new one. About 250 bytes a key in memory.
 * @returns what differs in one line; undefined: nothing does
 * @throws what the checker or the ledger throws
 */
export async function historyFault(
  parts: RecheckParts,
  base: number,
  signal: AbortSignal
): Promise<string | undefined> {
  const { genesis, history, checker, headerAt, turn } = parts
  const { snapshotInterval } = genesis.params
  const height = Math.floor(base / snapshotInterval) * snapshotInterval
  if (height === 0) return undefined
  // None of them is ever trimmed: nothing is read.
  const tries = STATE_INDEXES.map(() => new BucketTrie(async () => []))
  let events = 0
  let since = performance.now()
  for await (const frames of history.replay(height - 1)) {
    await turn()
    if (signal.aborted) return undefined
    for (const result of await checker.checkHistory(frames)) {
      const fault = result.ok ? result.block.deferred : result.failure
      if (!result.ok || fault !== undefined) return `a stored block is damaged: ${fault?.code}: ${fault?.message}`
      const { eventIds, keyHashes } = result.block
      for (const index of STATE_INDEXES) {
        await tries[index]?.fold(new KeyRuns(keyHashes, index * HASH_BYTES, KEY_HASHES, eventIds))
      }
      events += eventIds.byteLength / HASH_BYTES
      if (performance.now() - since < SLICE_MS) continue
      await giveWay()
      since = performance.now()
    }
  }
  for (const trie of tries) while (!trie.refresh(HASHES_A_TURN)) await nextTurn()
  const [actors, resources, actions] = tries.map((trie) => trie.root()) as [Uint8Array, Uint8Array, Uint8Array]
  const root = stateRootHash(events, genesis.validators.hash, actors, resources, actions)
  const carried = (await headerAt(height))?.header.stateRoot
  if (carried !== undefined && equalBytes(root, carried)) return undefined
  const must = carried === undefined ? 'nothing' : toHex(carried)
  return `the events of blocks 1 to ${height - 1} come to the state ${toHex(root)}; header ${height} has ${must}`
}
