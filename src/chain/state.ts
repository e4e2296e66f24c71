import type { CheckedBlock } from './check-block.ts'
import { stateRootHash } from './domain.ts'
import { HASH_BYTES } from './merkle.ts'
import type { Params } from './params.ts'
import { type IndexEntry, IndexTrie } from './trie.ts'

/** The order of the indexes in keyHashes and in the state root. */
export const ACTOR_INDEX = 0
export const RESOURCE_INDEX = 1
export const ACTION_INDEX = 2
export type StateIndex = typeof ACTOR_INDEX | typeof RESOURCE_INDEX | typeof ACTION_INDEX

export const STATE_INDEXES = [ACTOR_INDEX, RESOURCE_INDEX, ACTION_INDEX] as const

/** A key of an index with its value. */
export interface StateEntry extends IndexEntry {
  /** SHA-256(key). */
  readonly keyHash: Uint8Array
  readonly key: Uint8Array
}

/** What of a block its state is made from. */
export type FoldedBlock = Pick<CheckedBlock, 'eventIds' | 'keyHashes' | 'blockBytes'>

/** Whether the header at `height` carries a newly computed state root: the one over blocks 1 … height − 1. */
export function carriesState(params: Params, height: number): boolean {
  return height % params.snapshotInterval === 0
}

/**
 * The three indexes of protocol §6 in memory. Only finalized blocks enter, in order of height, so nothing is ever
 * taken back. Raw keys are not kept.
 */
export class StateIndexes {
  readonly #tries = STATE_INDEXES.map(() => new IndexTrie()) as [IndexTrie, IndexTrie, IndexTrie]
  #eventTotal = 0

  /** How many events were folded in. */
  get eventTotal(): number {
    return this.#eventTotal
  }

  /** How many keys an index has. */
  sizeOf(index: StateIndex): number {
    return this.#tries[index].size
  }

  get(index: StateIndex, keyHash: Uint8Array): IndexEntry | undefined {
    return this.#tries[index].get(keyHash)
  }

  /** Adds a block's events: three hashes an event; the tries are hashed when a root is asked for. */
  fold({ eventIds, keyHashes }: Pick<FoldedBlock, 'eventIds' | 'keyHashes'>): void {
    const count = eventIds.byteLength / HASH_BYTES
    for (let i = 0; i < count; i++) {
      for (const index of STATE_INDEXES) {
        this.#tries[index].fold(keyHashes, (i * STATE_INDEXES.length + index) * HASH_BYTES, eventIds, i * HASH_BYTES)
      }
    }
    this.#eventTotal += count
  }

  /** The header's `state_root` over what was folded in. Hashes the paths that changed since the last call. */
  root(validatorsHash: Uint8Array): Uint8Array<ArrayBuffer> {
    const [actors, resources, actions] = this.#tries
    return stateRootHash(this.#eventTotal, validatorsHash, actors.root(), resources.root(), actions.root())
  }
}
