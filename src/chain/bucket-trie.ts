import { HASH_BYTES } from './merkle.ts'
import { BUCKET_KEYS, findRecord, insertRecord, splitAt, subtreeHash } from './trie-bucket.ts'
import { TrieNodes } from './trie-nodes.ts'
import { bitAt, foldRecord, type IndexEntry, RECORD_BYTES, readEntry } from './trie-record.ts'

/** A bucket's row: the bits that its keys share, padded to whole bytes, and how many they are. In the order of key hashes. */
export type BucketName = Uint8Array

/** Reads the rows of buckets; undefined where there is none. */
export type ReadBuckets = (names: readonly BucketName[]) => Promise<readonly (Uint8Array | undefined)[]>

/** A bucket that changed: its row, and its hash, which is kept apart so that all of them can be read at a start. */
export interface ChangedBucket {
  readonly name: BucketName
  readonly records: Uint8Array
  readonly hash: Uint8Array
}

interface Bucket {
  records: Uint8Array
  readonly depth: number
  /** Changed since it was last given out to be written. */
  dirty: boolean
  /** It has a row. */
  stored: boolean
  /** The epoch (see `trim`) in which it was last asked for. */
  used: number
}

/**
 * One index of protocol §6 with its keys on disk: the trie of trie.ts, cut at its buckets (trie-bucket.ts). In memory are
 * the nodes above the buckets with every bucket's hash, the buckets that changed since they were last written, and a
 * cache of others. So a key that is touched costs one row read (if it was not touched lately), the hashes of its bucket
 * and of the path above it, and one row written later, however many keys there are.
 *
 * Knows no disk: who owns it loads buckets before it folds, and takes what changed. Nothing is ever removed from it.
 */
export class BucketTrie {
  readonly #read: ReadBuckets
  readonly #nodes = new TrieNodes()
  /** By slot; undefined: on disk only, or a slot that is free. */
  readonly #buckets: (Bucket | undefined)[] = []
  readonly #free: number[] = []
  #loaded = 0
  /** Buckets that were changed, some of them split since. */
  #changed: Bucket[] = []
  /** Rows of buckets that were split. */
  #split: BucketName[] = []
  #epoch = 0
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
    return this.#loaded
  }

  /** How many buckets changed since `takeChanges`, at most: those that were split are counted too. */
  get changed(): number {
    return this.#changed.length
  }

  /** Puts a stored bucket in its place, before anything else is done. @throws RangeError if it has none */
  restore(name: BucketName, hash: Uint8Array): void {
    const nodes = this.#nodes
    const depth = name[name.byteLength - 1] ?? 0
    if (hash.byteLength !== HASH_BYTES || name.byteLength !== nameBytes(depth)) throw new RangeError('not a bucket')
    let node = nodes.top
    let side = 0
    for (let level = 0; level < depth; level++) {
      if (nodes.isEmpty(node, side)) nodes.setNode(node, side, nodes.add())
      else if (nodes.isLeaf(node, side)) throw new RangeError('a bucket lies in another')
      node = nodes.child(node, side)
      side = bitAt(name, 0, level)
    }
    if (!nodes.isEmpty(node, side)) throw new RangeError('a bucket holds another')
    nodes.setLeaf(node, side, this.#addSlot(undefined))
    nodes.hashLeaf(node, side, (out, at) => out.set(hash, at))
  }

  /** @throws RangeError if a row that must be there is not */
  async get(keyHash: Uint8Array): Promise<IndexEntry | undefined> {
    for (;;) {
      const slot = this.#descend(keyHash, 0, false)
      if (slot === undefined) return undefined
      const name = bucketName(keyHash, 0, this.#depth)
      const records = this.#buckets[slot]?.records ?? (await this.#read([name]))[0]
      if (records !== undefined) {
        const at = findRecord(records, keyHash, 0)
        return at < 0 ? undefined : readEntry(records, at)
      }
      // While it was read it was split; or it is missing.
      if (this.#descend(keyHash, 0, false) === slot && this.#buckets[slot] === undefined) throw missing(name)
    }
  }

  /**
   * Brings the buckets of keys to memory, so that they can be folded.
   * @param keyHashes key hashes at `first`, `first + step`, …
   * @throws RangeError if a row that must be there is not
   */
  async load(keyHashes: Uint8Array, first: number, step: number): Promise<void> {
    let wanted: Map<number, { name: BucketName; depth: number }> | undefined
    for (let at = first; at < keyHashes.byteLength; at += step) {
      const slot = this.#descend(keyHashes, at, false)
      if (slot === undefined || this.#buckets[slot] !== undefined || wanted?.has(slot) === true) continue
      wanted ??= new Map()
      wanted.set(slot, { name: bucketName(keyHashes, at, this.#depth), depth: this.#depth })
    }
    if (wanted === undefined) return
    const places = [...wanted]
    const rows = await this.#read(places.map(([, { name }]) => name))
    for (const [i, [slot, { name, depth }]] of places.entries()) {
      const row = rows[i]
      if (row === undefined) throw missing(name)
      // A copy: it is written into, and a row may be part of something larger.
      this.#buckets[slot] = { records: row.slice(), depth, dirty: false, stored: true, used: this.#epoch }
      this.#loaded++
    }
  }

  /**
   * Adds the event whose id is at `idAt` to the key whose hash is at `keyAt`; its bucket has been loaded.
   * @returns whether the key is new
   */
  fold(keyHashes: Uint8Array, keyAt: number, eventIds: Uint8Array, idAt: number): boolean {
    const slot = this.#descend(keyHashes, keyAt, true) ?? this.#begin()
    const bucket = this.#buckets[slot]
    if (bucket === undefined) throw new TypeError('the bucket of the key was not loaded')
    bucket.used = this.#epoch
    if (!bucket.dirty) {
      bucket.dirty = true
      this.#changed.push(bucket)
    }
    const found = findRecord(bucket.records, keyHashes, keyAt)
    const at = found < 0 ? -1 - found : found
    if (found < 0) bucket.records = insertRecord(bucket.records, at, keyHashes, keyAt)
    foldRecord(bucket.records, at, eventIds, idAt)
    if (bucket.records.byteLength > BUCKET_KEYS * RECORD_BYTES) this.#cut(slot, bucket)
    return found < 0
  }

  /** An empty bucket where the last descent found nothing. */
  #begin(): number {
    const slot = this.#addBucket(new Uint8Array(0), this.#depth)
    this.#nodes.setLeaf(this.#node, this.#side, slot)
    return slot
  }

  /** Puts a node with two buckets (or a node and nothing, as long as all keys share a bit) where the last descent ended. */
  #cut(slot: number, bucket: Bucket): void {
    const { records, depth } = bucket
    if (bucket.stored) this.#split.push(bucketName(records, 0, depth))
    bucket.dirty = false
    this.#buckets[slot] = undefined
    this.#free.push(slot)
    this.#loaded--
    this.#place(this.#node, this.#side, records, depth)
  }

  #place(node: number, side: number, records: Uint8Array, depth: number): void {
    if (records.byteLength === 0) return
    const nodes = this.#nodes
    if (records.byteLength <= BUCKET_KEYS * RECORD_BYTES) {
      const slot = this.#addBucket(records.slice(), depth)
      this.#changed.push(this.#buckets[slot] as Bucket)
      nodes.setLeaf(node, side, slot)
      return
    }
    const inner = nodes.add()
    nodes.setNode(node, side, inner)
    const middle = splitAt(records, 0, records.byteLength, depth)
    this.#place(inner, 0, records.subarray(0, middle), depth + 1)
    this.#place(inner, 1, records.subarray(middle), depth + 1)
  }

  #addBucket(records: Uint8Array, depth: number): number {
    this.#loaded++
    const dirty = records.byteLength > 0
    return this.#addSlot({ records, depth, dirty, stored: false, used: this.#epoch })
  }

  #addSlot(bucket: Bucket | undefined): number {
    const slot = this.#free.pop() ?? this.#buckets.length
    this.#buckets[slot] = bucket
    return slot
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
      const { records, depth } = this.#buckets[child] as Bucket
      nodes.hashLeaf(node, side, (out, at) => out.set(subtreeHash(records, depth), at))
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
    const changed = this.#changed
    this.#changed = []
    for (const bucket of changed) {
      if (!bucket.dirty) continue
      bucket.dirty = false
      bucket.stored = true
      const { records, depth } = bucket
      this.#descend(records, 0, false)
      yield { name: bucketName(records, 0, depth), records, hash: this.#nodes.childHash(this.#node, this.#side) }
    }
  }

  /**
   * Forgets buckets that were not asked for since the last time, if there are more than `most`; if that is not enough,
   * all. Only while everything that `takeChanges` gave out is on disk.
   */
  trim(most: number): void {
    if (this.#loaded <= most) return
    this.#forget(this.#epoch)
    if (this.#loaded > most) this.#forget(this.#epoch + 1)
    this.#epoch++
  }

  #forget(before: number): void {
    for (const [slot, bucket] of this.#buckets.entries()) {
      if (bucket === undefined || bucket.dirty || bucket.used >= before) continue
      this.#buckets[slot] = undefined
      this.#loaded--
    }
  }
}

/** Depth of the bucket and the bits down to it, of the key hash at `offset`. */
export function bucketName(keyHashes: Uint8Array, offset: number, depth: number): BucketName {
  const name = new Uint8Array(nameBytes(depth))
  const whole = name.byteLength - 1
  for (let i = 0; i < whole; i++) name[i] = keyHashes[offset + i] as number
  if (depth % 8 !== 0) name[whole - 1] = (name[whole - 1] as number) & (0xff00 >>> (depth % 8))
  name[whole] = depth
  return name
}

function nameBytes(depth: number): number {
  return Math.ceil(depth / 8) + 1
}

function missing(name: BucketName): RangeError {
  return new RangeError(`bucket ${Buffer.from(name).toString('hex')} of an index is missing`)
}
