import { setImmediate as nextTurn } from 'node:timers/promises'
import { BucketTrie } from '../chain/bucket-trie.ts'
import { stateRootHash } from '../chain/domain.ts'
import { indexKeysOf } from '../chain/event.ts'
import { KeyRuns } from '../chain/key-runs.ts'
import { HASH_BYTES } from '../chain/merkle.ts'
import { type FoldedBlock, STATE_INDEXES, type StateIndex } from '../chain/state.ts'
import type { IndexEntry } from '../chain/trie-record.ts'
import { concatBytes } from '../codec/bytes.ts'
import { splitBlock } from '../codec/raw.ts'
import { messageOf } from '../error.ts'
import type { WriteBatch } from '../store/batch.ts'
import type { Database } from '../store/database.ts'
import { corrupt } from '../store/errors.ts'
import type { KeyRow, StateStore } from '../store/state-store.ts'

/** A tree node's hash takes a microsecond: this many are some milliseconds of the event loop. */
const HASHES_A_TURN = 4000
/** Events that are folded between two turns of the loop: a few milliseconds, most of them to take over rows. */
const EVENTS_A_TURN = 1000
/** Rows that are put together between two turns of the loop. */
const ROWS_A_TURN = 2000
/** Buckets of each index that are kept in memory though they are on disk: at most 4 MB each. */
const CACHED_BUCKETS = 8000
/** When so many buckets changed the state is written, whatever else: until then they are in memory, half a kilobyte each. */
export const MAX_CHANGED_BUCKETS = 40_000
/** Blocks that are collected hold so many bytes at most; more only if one block has more. */
const MAX_COLLECTED_BYTES = 8 << 20

const KEY_HASHES = STATE_INDEXES.length * HASH_BYTES

/**
 * The three indexes of protocol §6 on disk. Only finalized blocks enter, in the order of heights, so nothing is ever taken
 * back. Blocks are collected and folded together when somebody asks, so that what many of them touch is read and hashed
 * once; and what they changed is written in batch by `flush`. After a crash they are folded again from the height in the
 * state mark. One call at a time, but for `get` and `settle`.
 */
export class StateTries {
  readonly #database: Database
  readonly #store: StateStore
  readonly #tries: readonly [BucketTrie, BucketTrie, BucketTrie]
  #collected: FoldedBlock[] = []
  #collectedBytes = 0
  #folding: Promise<void> | undefined
  /** Why blocks could not be folded: they are in no trie, or in part, and nothing may follow. */
  #failed: unknown
  #newKeys: KeyRow[] = []
  #eventTotal: number

  private constructor(database: Database, store: StateStore, eventTotal: number) {
    this.#database = database
    this.#store = store
    this.#eventTotal = eventTotal
    const trie = (index: StateIndex) => new BucketTrie((names) => store.buckets(index, names))
    this.#tries = [trie(0), trie(1), trie(2)]
  }

  /** As they were last written: reads all of it, but keeps a hash a bucket. @throws MolochError STORE_CORRUPT */
  static async open(database: Database, store: StateStore, eventTotal: number): Promise<StateTries> {
    const state = new StateTries(database, store, eventTotal)
    try {
      for await (const { index, name, hash } of store.allBuckets()) state.#tries[index].restore(name, hash)
    } catch (error) {
      throw state.#corrupt(error)
    }
    return state
  }

  /** How many events were folded in. */
  get eventTotal(): number {
    return this.#eventTotal
  }

  /** Buckets in memory that `flush` would write; blocks that are only collected don't count. */
  get changed(): number {
    return this.#tries.reduce((sum, trie) => sum + trie.changed, 0)
  }

  /** The value of a key by its hash. @throws MolochError STORE_CORRUPT */
  async get(index: StateIndex, keyHash: Uint8Array): Promise<IndexEntry | undefined> {
    await this.#foldCollected()
    try {
      return await this.#tries[index].get(keyHash)
    } catch (error) {
      throw this.#corrupt(error)
    }
  }

  /** Adds a block's events. Most calls only collect. @throws MolochError STORE_CORRUPT */
  async fold(block: FoldedBlock): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed
    const { eventIds, keyHashes, blockBytes } = block
    this.#collected.push(block)
    this.#collectedBytes += eventIds.byteLength + keyHashes.byteLength + blockBytes.byteLength
    this.#eventTotal += eventIds.byteLength / HASH_BYTES
    if (this.#collectedBytes > MAX_COLLECTED_BYTES) await this.#foldCollected()
  }

  /** The header's `state_root` over what was folded in. Gives way to the loop every few milliseconds. */
  async root(validatorsHash: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    await this.#foldCollected()
    while (!this.#refresh()) await nextTurn()
    const [actors, resources, actions] = this.#tries
    return stateRootHash(this.#eventTotal, validatorsHash, actors.root(), resources.root(), actions.root())
  }

  /**
   * Some milliseconds of the work that `root` would have to do, or a beginning of it: for when there is nothing else to
   * do. What fails on the way the next other call throws.
   * @returns whether nothing is left
   */
  settle(): boolean {
    if (this.#failed !== undefined) return true
    if (this.#collected.length === 0 && this.#folding === undefined) return this.#refresh()
    this.#foldCollected().catch(() => {})
    return false
  }

  /** Puts what changed since the last call into a batch. Until that is written, and `written` is called, nothing is forgotten. */
  async flush(batch: WriteBatch): Promise<void> {
    await this.#foldCollected()
    while (!this.#refresh()) await nextTurn()
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
    for (const key of keys) {
      this.#store.putKey(batch, key)
      if (++rows % ROWS_A_TURN === 0) await nextTurn()
    }
  }

  /** All that `flush` gave out is on disk: memory is made free. */
  written(): void {
    for (const trie of this.#tries) trie.trim(CACHED_BUCKETS)
  }

  #refresh(): boolean {
    return this.#tries.every((trie) => trie.refresh(HASHES_A_TURN))
  }

  /** One at a time: who comes in between waits for it, and for what was collected since. */
  async #foldCollected(): Promise<void> {
    while (this.#folding !== undefined || this.#collected.length > 0) {
      this.#folding ??= this.#foldAll().finally(() => {
        this.#folding = undefined
      })
      await this.#folding
    }
    if (this.#failed !== undefined) throw this.#failed
  }

  async #foldAll(): Promise<void> {
    const blocks = this.#collected
    this.#collected = []
    this.#collectedBytes = 0
    if (this.#failed !== undefined) return
    const keyHashes = concatBytes(...blocks.map((block) => block.keyHashes))
    const eventIds = concatBytes(...blocks.map((block) => block.eventIds))
    let events: readonly Uint8Array[] | undefined
    try {
      for (const index of STATE_INDEXES) {
        const runs = new KeyRuns(keyHashes, index * HASH_BYTES, KEY_HASHES, eventIds)
        for (let from = 0, to = 0; from < runs.count; from = to) {
          to = runs.after(from, EVENTS_A_TURN)
          for (const event of await this.#tries[index].fold(runs, from, to)) {
            // Found in the bytes only for the first event that a key ever has.
            events ??= blocks.flatMap(({ blockBytes }) => splitBlock(blockBytes).events)
            const keyAt = event * KEY_HASHES + index * HASH_BYTES
            const key = indexKeysOf(events[event] as Uint8Array)[index]
            this.#newKeys.push({ index, keyHash: keyHashes.slice(keyAt, keyAt + HASH_BYTES), key })
          }
          await nextTurn()
        }
      }
    } catch (error) {
      this.#failed = this.#corrupt(error)
    }
  }

  #corrupt(error: unknown): unknown {
    return error instanceof RangeError ? corrupt(this.#database.path, messageOf(error), error) : error
  }
}
