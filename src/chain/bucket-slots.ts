/** A bucket in memory. */
export interface Bucket {
  records: Uint8Array
  readonly depth: number
  /** Changed since it was last given out to be written. */
  dirty: boolean
  /** It has a row. */
  stored: boolean
  /** The epoch (see `trim`) in which it was last asked for. */
  used: number
}

/** The buckets of a trie (bucket-trie.ts) by numbers, its leaves: those that are in memory, and which of them changed. */
export class BucketSlots {
  /** Undefined: on disk only, or a number that is free. */
  readonly #buckets: (Bucket | undefined)[] = []
  readonly #free: number[] = []
  #loaded = 0
  /** Some of them split since. */
  #changed: Bucket[] = []
  #epoch = 0

  /** Buckets in memory. */
  get loaded(): number {
    return this.#loaded
  }

  /** How many were changed since `takeChanged`, at most: those that were split are counted too. */
  get changed(): number {
    return this.#changed.length
  }

  at(slot: number): Bucket | undefined {
    return this.#buckets[slot]
  }

  /** A slot for a bucket that is on disk only. */
  reserve(): number {
    const slot = this.#free.pop() ?? this.#buckets.length
    this.#buckets[slot] = undefined
    return slot
  }

  /** A bucket was read. */
  load(slot: number, records: Uint8Array, depth: number): void {
    this.#put(slot, { records, depth, dirty: false, stored: true, used: this.#epoch })
  }

  /** A bucket that has no row. */
  add(records: Uint8Array, depth: number): number {
    const slot = this.reserve()
    const bucket = { records, depth, dirty: true, stored: false, used: this.#epoch }
    this.#put(slot, bucket)
    this.#changed.push(bucket)
    return slot
  }

  /** It is going to be changed. */
  touch(bucket: Bucket): void {
    bucket.used = this.#epoch
    if (bucket.dirty) return
    bucket.dirty = true
    this.#changed.push(bucket)
  }

  /** It was split: its number is free. */
  remove(slot: number, bucket: Bucket): void {
    bucket.dirty = false
    this.#drop(slot)
    this.#free.push(slot)
  }

  /** What changed since the last call, each once. They stay in memory until `trim`. */
  *takeChanged(): Generator<Bucket> {
    const changed = this.#changed
    this.#changed = []
    for (const bucket of changed) {
      if (!bucket.dirty) continue
      bucket.dirty = false
      bucket.stored = true
      yield bucket
    }
  }

  /**
   * Forgets buckets that were not asked for since the last time, if there are more than `most`; if that is not enough,
   * all. Only while everything that `takeChanged` gave out is on disk.
   */
  trim(most: number): void {
    if (this.#loaded <= most) return
    this.#forget(this.#epoch)
    if (this.#loaded > most) this.#forget(this.#epoch + 1)
    this.#epoch++
  }

  #forget(before: number): void {
    for (const [slot, bucket] of this.#buckets.entries()) {
      if (bucket !== undefined && !bucket.dirty && bucket.used < before) this.#drop(slot)
    }
  }

  #put(slot: number, bucket: Bucket): void {
    this.#buckets[slot] = bucket
    this.#loaded++
  }

  #drop(slot: number): void {
    this.#buckets[slot] = undefined
    this.#loaded--
  }
}
