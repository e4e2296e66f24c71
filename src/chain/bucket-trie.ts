import { type BucketName, bucketName, depthOf } from './bucket-name.ts'
import { type Bucket, BucketSlots } from './bucket-slots.ts'
import type { KeyRuns } from './key-runs.ts'
import { HASH_BYTES } from './merkle.ts'
import { BUCKET_KEYS, findRecord, insertRecord, splitAt, writeSubtreeHash } from './trie-bucket.ts'
import { TrieNodes } from './trie-nodes.ts'
import { bitAt, foldRecords, type IndexEntry, RECORD_BYTES, readEntry } from './trie-record.ts'

/** Reads the records of buckets; undefined where there is no row. */
export type ReadBuckets = (names: readonly BucketName[]) => Promise<readonly (Uint8Array | undefined)[]>

/** A bucket that changed: what its row holds. */
export interface ChangedBucket {
  readonly name: BucketName
  readonly records: Uint8Array
  readonly hash: Uint8Array
}

/** A bucket that is not in memory. */
interface Absent {
  readonly slot: number
  readonly depth: number
  readonly name: BucketName
}

/**
 * One index of protocol §6 with its keys on disk: the trie of trie.ts, cut at its buckets (trie-bucket.ts). In memory are
 * the nodes above the buckets with every bucket's hash, the buckets that changed since they were last written, and a
 * cache of others. So a key that is touched costs one row read (if it was not touched lately), the hashes of its bucket
 * and of the path above it, and one row written later, however many keys there are. What many blocks touch is folded
 * together: each bucket is then read, changed and hashed once.
 *
 * Knows no disk: who owns it gives it a reader, and takes what changed. Nothing is ever removed from it.
 */
export class BucketTrie {
  readonly #read: ReadBuckets
  readonly #nodes = new TrieNodes()
  readonly #slots = new BucketSlots()
  /** Rows of buckets that were split. */
  #split: BucketName[] = []
  #budget = 0
  /** Where the last `#descend` ended. */
  #node = 0
  #side = 0
  #depth = 0

  constructor(read: ReadBuckets) {
    this.#read = read
  }

  /** Buckets in memory. */
  get loaded(): number {
    return this.#slots.loaded
  }

  /** How many buckets changed since `takeChanges`, at most: those that were split are counted too. */
  get changed(): number {
    return this.#slots.changed
  }

  /** Puts a stored bucket in its place, before anything else is done. @throws RangeError if it has none */
  restore(name: BucketName, hash: Uint8Array): void {
    const nodes = this.#nodes
    const depth = depthOf(name)
    if (hash.byteLength !== HASH_BYTES) throw new RangeError('not a bucket')
    let node = nodes.top
    let side = 0
    for (let level = 0; level < depth; level++) {
      if (nodes.isEmpty(node, side)) nodes.setNode(node, side, nodes.add())
      else if (nodes.isLeaf(node, side)) throw new RangeError('a bucket lies in another')
      node = nodes.child(node, side)
      side = bitAt(name, 0, level)
    }
    if (!nodes.isEmpty(node, side)) throw new RangeError('a bucket holds another')
    nodes.setLeaf(node, side, this.#slots.reserve())
    nodes.hashLeaf(node, side, (out, at) => out.set(hash, at))
  }

  /** @throws RangeError if a row that must be there is not */
  async get(keyHash: Uint8Array): Promise<IndexEntry | undefined> {
    for (;;) {
      const slot = this.#descend(keyHash, 0, false)
      if (slot === undefined) return undefined
      const name = bucketName(keyHash, 0, this.#depth)
      const records = this.#slots.at(slot)?.records ?? (await this.#read([name]))[0]
      if (records !== undefined) {
        const at = findRecord(records, keyHash, 0)
        return at < 0 ? undefined : readEntry(records, at)
      }
      // While it was read it was split; or it is missing.
      if (this.#descend(keyHash, 0, false) === slot && this.#slots.at(slot) === undefined) throw missing(name)
    }
  }

  /**
   * Adds the events of the runs from `from` up to `to`; one call at a time.
   * @returns the numbers of the events that are the first of their keys
   * @throws RangeError if a row that must be there is not
   */
  async fold(runs: KeyRuns, from = 0, to = runs.count): Promise<number[]> {
    // Again if what was there is trimmed while the rest is read.
    for (let absent = this.#absent(runs, from, to); absent.length > 0; absent = this.#absent(runs, from, to)) {
      await this.#load(absent)
    }
    const firsts: number[] = []
    for (let run = from; run < to; run++) if (this.#foldRun(runs, run)) firsts.push(runs.firstEvent(run))
    return firsts
  }

  #absent(runs: KeyRuns, from: number, to: number): Absent[] {
    const absent: Absent[] = []
    for (let run = from; run < to; run++) {
      const at = runs.keyAt(run)
      const slot = this.#descend(runs.keyHashes, at, false)
      if (slot === undefined || slot === absent.at(-1)?.slot || this.#slots.at(slot) !== undefined) continue
      absent.push({ slot, depth: this.#depth, name: bucketName(runs.keyHashes, at, this.#depth) })
    }
    return absent
  }

  async #load(absent: readonly Absent[]): Promise<void> {
    const rows = await this.#read(absent.map(({ name }) => name))
    for (const [i, { slot, depth, name }] of absent.entries()) {
      const row = rows[i]
      if (row === undefined) throw missing(name)
      // A copy: it is written into, and a row may be part of something larger.
      if (this.#slots.at(slot) === undefined) this.#slots.load(slot, row.slice(), depth)
    }
  }

  /** @returns whether the key is new */
  #foldRun(runs: KeyRuns, run: number): boolean {
    const { keyHashes, eventIds } = runs
    const keyAt = runs.keyAt(run)
    const slot = this.#descend(keyHashes, keyAt, true) ?? this.#begin()
    const bucket = this.#slots.at(slot) as Bucket
    this.#slots.touch(bucket)
    const found = findRecord(bucket.records, keyHashes, keyAt)
    const at = found < 0 ? -1 - found : found
    if (found < 0) bucket.records = insertRecord(bucket.records, at, keyHashes, keyAt)
    foldRecords(bucket.records, at, eventIds, runs.eventsOf(run))
    if (bucket.records.byteLength > BUCKET_KEYS * RECORD_BYTES) this.#cut(slot, bucket)
    return found < 0
  }

  /** An empty bucket where the last descent found nothing. */
  #begin(): number {
    const slot = this.#slots.add(new Uint8Array(0), this.#depth)
    this.#nodes.setLeaf(this.#node, this.#side, slot)
    return slot
  }

  /** Puts a node with two buckets (or a node and nothing, as long as all keys share a bit) where the last descent ended. */
  #cut(slot: number, bucket: Bucket): void {
    const { records, depth } = bucket
    if (bucket.stored) this.#split.push(bucketName(records, 0, depth))
    this.#slots.remove(slot, bucket)
    this.#place(this.#node, this.#side, records, depth)
  }

  #place(node: number, side: number, records: Uint8Array, depth: number): void {
    if (records.byteLength === 0) return
    const nodes = this.#nodes
    if (records.byteLength <= BUCKET_KEYS * RECORD_BYTES) {
      nodes.setLeaf(node, side, this.#slots.add(records.slice(), depth))
      return
    }
    const inner = nodes.add()
    nodes.setNode(node, side, inner)
    const middle = splitAt(records, 0, records.byteLength, depth)
    this.#place(inner, 0, records.subarray(0, middle), depth + 1)
    this.#place(inner, 1, records.subarray(middle), depth + 1)
  }

  /** The slot of the bucket on the way of a key; undefined: the way ends at nothing. Marks the way stale if `touch`. */
  #descend(keyHashes: Uint8Array, offset: number, touch: boolean): number | undefined {
    const nodes = this.#nodes
    let node = nodes.top
    let side = 0
    let depth = 0
    for (; !nodes.isEmpty(node, side); depth++) {
      if (touch) nodes.markStale(node, side)
      const child = nodes.child(node, side)
      if (nodes.isLeaf(node, side)) {
        this.#ended(node, side, depth)
        return child
      }
      node = child
      side = bitAt(keyHashes, offset, depth)
    }
    this.#ended(node, side, depth)
    return undefined
  }

  #ended(node: number, side: number, depth: number): void {
    this.#node = node
    this.#side = side
    this.#depth = depth
  }

  /**
   * Hashes what changed, about `hashes` of it at most. May be called between any folds; what was done counts.
   * @returns whether nothing is left
   */
  refresh(hashes: number): boolean {
    this.#budget = hashes
    this.#refresh(this.#nodes.top, 0)
    return !this.#nodes.isStale(this.#nodes.top, 0)
  }

  /** After a `refresh` that left nothing. A copy. */
  root(): Uint8Array {
    return this.#nodes.childHash(this.#nodes.top, 0)
  }

  /** @returns whether there is budget left; if not, nodes above stay stale */
  #refresh(node: number, side: number): boolean {
    const nodes = this.#nodes
    if (!nodes.isStale(node, side)) return true
    const child = nodes.child(node, side)
    if (nodes.isLeaf(node, side)) {
      const { records, depth } = this.#slots.at(child) as Bucket
      nodes.hashLeaf(node, side, (out, at) => writeSubtreeHash(out, at, records, depth))
      this.#budget -= (2 * records.byteLength) / RECORD_BYTES
    } else {
      if (!this.#refresh(child, 0) || !this.#refresh(child, 1)) return false
      nodes.hashNode(node, side)
      this.#budget--
    }
    return this.#budget > 0
  }

  /** The rows of buckets that were split since the last call: they go before what changed is written. */
  takeSplit(): BucketName[] {
    const names = this.#split
    this.#split = []
    return names
  }

  /** What changed since the last call, after a `refresh` that left nothing. They stay in memory until `trim`. */
  *takeChanges(): Generator<ChangedBucket> {
    for (const { records, depth } of this.#slots.takeChanged()) {
      this.#descend(records, 0, false)
      yield { name: bucketName(records, 0, depth), records, hash: this.#nodes.childHash(this.#node, this.#side) }
    }
  }

  /** See BucketSlots: of what is on disk, keeps about `most` buckets in memory. */
  trim(most: number): void {
    this.#slots.trim(most)
  }
}

function missing(name: BucketName): RangeError {
  return new RangeError(`bucket ${Buffer.from(name).toString('hex')} of an index is missing`)
}
