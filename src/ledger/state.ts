import { setImmediate as nextTurn } from 'node:timers/promises'
import { BucketTrie } from '../chain/bucket-trie.ts'
import { stateRootHash } from '../chain/domain.ts'
import { indexKeysOf } from '../chain/event.ts'
import { HASH_BYTES } from '../chain/merkle.ts'
import { type FoldedBlock, STATE_INDEXES, type StateIndex } from '../chain/state.ts'
import type { IndexEntry } from '../chain/trie-record.ts'
import { splitBlock } from '../codec/raw.ts'
import { messageOf } from '../error.ts'
import type { WriteBatch } from '../store/batch.ts'
import type { Database } from '../store/database.ts'
import { corrupt } from '../store/errors.ts'
import type { StateStore } from '../store/state-store.ts'

/** A tree node's hash takes a microsecond: this many are some milliseconds of the event loop. */
const HASHES_A_TURN = 4000
/** Rows that are put together between two turns of the loop. */
const ROWS_A_TURN = 2000
/** Buckets of each index that are kept in memory though they are on disk: at most 7 MB each. */
const CACHED_BUCKETS = 8000

const KEY_HASHES = STATE_INDEXES.length * HASH_BYTES

interface NewKey {
  readonly index: StateIndex
  readonly keyHash: Uint8Array
  readonly key: Uint8Array
}

/**
 * The three indexes of protocol §6 on disk. Only finalized blocks enter, in the order of heights, so nothing is ever taken
 * back. Blocks are folded in memory, and what they changed is written in batch by `flush`; after a crash they are folded
 * again from the height in the state mark. One call at a time, but for `get` and `settle`.
 */
export class StateTries {
  readonly #database: Database
  readonly #store: StateStore
  readonly #tries: readonly [BucketTrie, BucketTrie, BucketTrie]
  #newKeys: NewKey[] = []
  #eventTotal: number

  private constructor(database: Database, store: StateStore, eventTotal: number) {
    this.#database = database
    this.#store = store
    this.#eventTotal = eventTotal
    const trie = (index: StateIndex) => new BucketTrie((names) => store.buckets(index, names))
    this.#tries = [trie(0), trie(1), trie(2)]
  }

  /** As they were last written: reads a hash a bucket. @throws MolochError STORE_CORRUPT */
  static async open(database: Database, store: StateStore, eventTotal: number): Promise<StateTries> {
    const state = new StateTries(database, store, eventTotal)
    try {
      for await (const { index, name, value } of store.hashes()) state.#tries[index].restore(name.slice(), value)
    } catch (error) {
      throw state.#corrupt(error)
    }
    return state
  }

  /** How many events were folded in. */
  get eventTotal(): number {
    return this.#eventTotal
  }

  /** Buckets that `flush` would write. */
  get changed(): number {
    return this.#tries.reduce((sum, trie) => sum + trie.changed, 0)
  }

  /** The value of a key by its hash. @throws MolochError STORE_CORRUPT */
  async get(index: StateIndex, keyHash: Uint8Array): Promise<IndexEntry | undefined> {
    try {
      return await this.#tries[index].get(keyHash)
    } catch (error) {
      throw this.#corrupt(error)
    }
  }

  /** Adds a block's events: reads the buckets of its keys that are not in memory, and hashes three times an event. */
  async fold({ eventIds, keyHashes, blockBytes }: FoldedBlock): Promise<void> {
    try {
      await Promise.all(
        STATE_INDEXES.map((index) => this.#tries[index].load(keyHashes, index * HASH_BYTES, KEY_HASHES))
      )
    } catch (error) {
      throw this.#corrupt(error)
    }
    const count = eventIds.byteLength / HASH_BYTES
    let events: readonly Uint8Array[] | undefined
    for (let i = 0; i < count; i++) {
      for (const index of STATE_INDEXES) {
        const keyAt = i * KEY_HASHES + index * HASH_BYTES
        if (!this.#tries[index].fold(keyHashes, keyAt, eventIds, i * HASH_BYTES)) continue
        // Found in the bytes only for the first event that a key ever has.
        events ??= splitBlock(blockBytes).events
        const key = indexKeysOf(events[i] as Uint8Array)[index]
        this.#newKeys.push({ index, keyHash: keyHashes.slice(keyAt, keyAt + HASH_BYTES), key })
      }
    }
    this.#eventTotal += count
  }

  /** The header's `state_root` over what was folded in. Gives way to the loop every few milliseconds. */
  async root(validatorsHash: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    while (!this.settle()) await nextTurn()
    const [actors, resources, actions] = this.#tries
    return stateRootHash(this.#eventTotal, validatorsHash, actors.root(), resources.root(), actions.root())
  }

  /**
   * Some milliseconds of the hashing that `root` would have to do: for when there is nothing else to do.
   * @returns whether nothing is left
   */
  settle(): boolean {
    return this.#tries.every((trie) => trie.refresh(HASHES_A_TURN))
  }

  /** Puts what changed since the last call into a batch. Until that is written, and `written` is called, nothing is forgotten. */
  async flush(batch: WriteBatch): Promise<void> {
    while (!this.settle()) await nextTurn()
    let rows = 0
    for (const index of STATE_INDEXES) {
      const trie = this.#tries[index]
      for (const name of trie.takeSplit()) this.#store.delBucket(batch, index, name)
      for (const bucket of trie.takeChanges()) {
        this.#store.putBucket(batch, index, bucket)
        if (++rows % ROWS_A_TURN === 0) await nextTurn()
      }
    }
    const keys = this.#newKeys
    this.#newKeys = []
    for (const { index, keyHash, key } of keys) {
      this.#store.putKey(batch, index, keyHash, key)
      if (++rows % ROWS_A_TURN === 0) await nextTurn()
    }
  }

  /** All that `flush` gave out is on disk: memory is made free. */
  written(): void {
    for (const trie of this.#tries) trie.trim(CACHED_BUCKETS)
  }

  #corrupt(error: unknown): unknown {
    return error instanceof RangeError ? corrupt(this.#database.path, messageOf(error), error) : error
  }
}
