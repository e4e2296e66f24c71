import { type BucketName, bucketName } from './bucket-name.ts'
import type { ChangedBucket } from './bucket-trie.ts'
import { recordsOf } from './index-entries.ts'
import { HASH_BYTES } from './merkle.ts'
import type { StateEntry } from './state.ts'
import { BUCKET_KEYS, subtreeHash } from './trie-bucket.ts'

/** A bucket as it is stored; its keys are the first entries that were given and in no bucket yet. */
export interface CutBucket extends ChangedBucket {
  readonly name: BucketName
}

type Sorted = Pick<StateEntry, 'keyHash' | 'count' | 'head'>

/**
 * Cuts an index that comes in the order of key hashes into the buckets that a trie that grew key by key has (bucket-trie.ts).
 * Holds what it was given last and a few entries more.
 */
export class BucketCutter {
  #waiting: Sorted[] = []
  #last: Uint8Array | undefined;

  /** The buckets that can be told now. */
  *add(entries: readonly Sorted[]): Generator<CutBucket> {
    const all = this.#waiting.length === 0 ? entries : [...this.#waiting, ...entries]
    let at = 0
    while (all.length - at > BUCKET_KEYS) {
      const { bucket, size } = this.#cut(all, at)
      yield bucket
      at += size
    }
    this.#waiting = all.slice(at)
  }

  /** Those that are left: there are no more entries. */
  *end(): Generator<CutBucket> {
    for (let at = 0; at < this.#waiting.length; ) {
      const { bucket, size } = this.#cut(this.#waiting, at)
      yield bucket
      at += size
    }
    this.#waiting = []
  }

  /**
   * A bucket is a subtree of at most `BUCKET_KEYS` keys whose parent has more. So the one that begins here lies deeper than
   * what its first key shares with the key before, and deeper than what it shares with the first that has no room in it.
   */
  #cut(entries: readonly Sorted[], at: number): { bucket: CutBucket; size: number } {
    const { keyHash } = entries[at] as Sorted
    const beyond = entries[at + BUCKET_KEYS]?.keyHash
    const depth = Math.max(depthApart(this.#last, keyHash), depthApart(beyond, keyHash))
    let size = 1
    while (size < BUCKET_KEYS && depthApart(entries[at + size]?.keyHash, keyHash) > depth) size++
    const members = entries.slice(at, at + size)
    this.#last = members[size - 1]?.keyHash
    const records = recordsOf(members)
    return { size, bucket: { name: bucketName(keyHash, 0, depth), records, hash: subtreeHash(records, depth) } }
  }
}

/** The least depth at which two key hashes are in different subtrees; 0 if one of them is not there. */
function depthApart(one: Uint8Array | undefined, other: Uint8Array): number {
  if (one === undefined) return 0
  for (let byte = 0; byte < HASH_BYTES; byte++) {
    const difference = (one[byte] as number) ^ (other[byte] as number)
    if (difference !== 0) return 8 * byte + Math.clz32(difference) - 24 + 1
  }
  return 8 * HASH_BYTES + 1
}
