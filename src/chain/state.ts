import { splitBlock } from '../codec/raw.ts'
import type { CheckedBlock } from './check-block.ts'
import { stateRootHash } from './domain.ts'
import { type IndexKeys, indexKeysOf } from './event.ts'
import { HASH_BYTES } from './merkle.ts'
import { type IndexEntry, IndexTrie, type Slot } from './trie.ts'

/** The order of the indexes in keyHashes and in the state root. */
export const ACTOR_INDEX = 0
export const RESOURCE_INDEX = 1
export const ACTION_INDEX = 2
export type StateIndex = typeof ACTOR_INDEX | typeof RESOURCE_INDEX | typeof ACTION_INDEX

const INDEXES = [ACTOR_INDEX, RESOURCE_INDEX, ACTION_INDEX] as const

/** A key of an index with its value. */
export interface StateEntry extends IndexEntry {
  readonly index: StateIndex
  /** SHA-256(key). */
  readonly keyHash: Uint8Array
  readonly key: Uint8Array
}

/**
 * The three indexes of protocol §6 in memory. Only finalized blocks enter, in order of height, so nothing is ever
 * taken back. Raw keys are not kept, but for the entries changed since the last `takeDirty`, which the ledger writes.
 */
export class StateIndexes {
  readonly #tries = INDEXES.map(() => new IndexTrie()) as [IndexTrie, IndexTrie, IndexTrie]
  /** By index: the raw keys of slots that changed. */
  readonly #dirty: readonly Map<Slot, Uint8Array>[] = INDEXES.map(() => new Map())
  #eventTotal = 0

  /** How many events were folded in. */
  get eventTotal(): number {
    return this.#eventTotal
  }

  /** Bytes allocated by the tries. */
  get bytes(): number {
    return this.#tries.reduce((total, trie) => total + trie.bytes, 0)
  }

  /** How many keys an index has. */
  sizeOf(index: StateIndex): number {
    return this.#tries[index].size
  }

  get(index: StateIndex, keyHash: Uint8Array): IndexEntry | undefined {
    return this.#tries[index].get(keyHash)
  }

  /** Adds a block's events: three hashes an event; the tries are hashed when a root is asked for. */
  fold(block: Pick<CheckedBlock, 'eventIds' | 'keyHashes' | 'blockBytes'>): void {
    const { eventIds, keyHashes } = block
    const count = eventIds.byteLength / HASH_BYTES
    let events: readonly Uint8Array[] | undefined
    for (let i = 0; i < count; i++) {
      let keys: IndexKeys | undefined
      for (const index of INDEXES) {
        const trie = this.#tries[index]
        const slot = trie.touch(keyHashes, (i * INDEXES.length + index) * HASH_BYTES)
        trie.fold(slot, eventIds, i * HASH_BYTES)
        const dirty = this.#dirty[index] as Map<Slot, Uint8Array>
        if (dirty.has(slot)) continue
        // Found in the bytes only for the first event of a key since the last take.
        events ??= splitBlock(block.blockBytes).events
        keys ??= indexKeysOf(events[i] as Uint8Array)
        dirty.set(slot, keys[index])
      }
    }
    this.#eventTotal += count
  }

  /** The header's `state_root` over what was folded in. Hashes the paths that changed since the last call. */
  root(validatorsHash: Uint8Array): Uint8Array<ArrayBuffer> {
    const [actors, resources, actions] = this.#tries
    return stateRootHash(this.#eventTotal, validatorsHash, actors.root(), resources.root(), actions.root())
  }

  /** How many entries changed since the last `takeDirty`. */
  get dirtyCount(): number {
    return this.#dirty.reduce((total, dirty) => total + dirty.size, 0)
  }

  /** The entries changed since the last call (or `load`), with their values of now. */
  takeDirty(): StateEntry[] {
    const entries: StateEntry[] = []
    for (const index of INDEXES) {
      const trie = this.#tries[index]
      const dirty = this.#dirty[index] as Map<Slot, Uint8Array>
      for (const [slot, key] of dirty) entries.push({ index, keyHash: trie.keyHash(slot), key, ...trie.entry(slot) })
      dirty.clear()
    }
    return entries
  }

  /** Puts stored entries back, before any `fold`; may be called for part after part. They do not count as changed. */
  load(entries: Iterable<Omit<StateEntry, 'key'>>, eventTotal: number): void {
    for (const { index, keyHash, count, head } of entries) this.#tries[index].set(keyHash, { count, head })
    this.#eventTotal = eventTotal
  }
}
