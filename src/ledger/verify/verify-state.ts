import { bucketName } from '../../chain/bucket-name.ts'
import { STATE_INDEXES, type StateIndex, type StateIndexes } from '../../chain/state.ts'
import { BUCKET_KEYS, subtreeHash } from '../../chain/trie-bucket.ts'
import { bitAt, compareKeyHash, RECORD_BYTES, readEntry } from '../../chain/trie-record.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import { sha256 } from '../../crypto/sha256.ts'
import type { BucketRow, StateStore } from '../../store/state-store.ts'

/** The first thing in which the state on disk differs from `state`, in one line. */
export async function stateFault(store: StateStore, state: StateIndexes): Promise<string | undefined> {
  for (const index of STATE_INDEXES) {
    const fault = (await bucketsFault(store, state, index)) ?? (await keysFault(store, state, index))
    if (fault !== undefined) return fault
  }
  return undefined
}

/**
 * The first thing in which the state on disk can't be one, whatever the chain: buckets, keys and hashes that don't belong
 * together. For a state that can't be folded from genesis.
 */
export async function stateShapeFault(store: StateStore): Promise<string | undefined> {
  for (const index of STATE_INDEXES) {
    const keys = store.allKeys(index)
    let before: BucketRow | undefined
    for await (const bucket of store.allBuckets(index)) {
      const { name, records } = bucket
      const wrong = `wrong bucket ${toHex(name)} of index ${index}`
      if (!isBucket(name, records) || (before !== undefined && areOneBucket(before, bucket))) return wrong
      const hashFault = wrongHash(bucket)
      if (hashFault !== undefined) return hashFault
      for (let at = 0; at < records.byteLength; at += RECORD_BYTES) {
        const keyHash = records.subarray(at, at + 32)
        const { value: row } = await keys.next()
        const right = row !== undefined && equalBytes(row.keyHash, keyHash) && equalBytes(sha256(row.key), keyHash)
        if (!right || !isPlaced(name, records, at)) {
          await keys.return(undefined)
          return `wrong entry ${toHex(keyHash)} of index ${index}`
        }
      }
      before = bucket
    }
    if ((await keys.next()).done !== true) return `index ${index} has a key without an entry`
  }
  return undefined
}

function isBucket(name: Uint8Array, records: Uint8Array): boolean {
  const count = records.byteLength / RECORD_BYTES
  return Number.isInteger(count) && count >= 1 && count <= BUCKET_KEYS && name.byteLength > 0
}

/** Whether a record is after the one before, and in the bucket where it belongs. */
function isPlaced(name: Uint8Array, records: Uint8Array, at: number): boolean {
  const depth = name[name.byteLength - 1] as number
  const ordered = at === 0 || compareKeyHash(records, at - RECORD_BYTES, records, at) < 0
  return ordered && equalBytes(bucketName(records, at, depth), name)
}

/** Every record is the key's, in order and in the bucket where it belongs, and all keys are there. */
async function bucketsFault(store: StateStore, state: StateIndexes, index: StateIndex): Promise<string | undefined> {
  let keys = 0
  let before: BucketRow | undefined
  for await (const bucket of store.allBuckets(index)) {
    const { name, records } = bucket
    const wrong = `wrong bucket ${toHex(name)} of index ${index}`
    if (!isBucket(name, records)) return wrong
    for (let at = 0; at < records.byteLength; at += RECORD_BYTES) {
      const keyHash = records.subarray(at, at + 32)
      const expected = state.get(index, keyHash)
      const { count, head } = readEntry(records, at)
      if (expected?.count !== count || !equalBytes(expected.head, head)) {
        return `wrong entry ${toHex(keyHash)} of index ${index}`
      }
      if (!isPlaced(name, records, at)) return wrong
    }
    if (before !== undefined && areOneBucket(before, bucket)) return wrong
    const hashFault = wrongHash(bucket)
    if (hashFault !== undefined) return hashFault
    before = bucket
    keys += records.byteLength / RECORD_BYTES
  }
  const expected = state.sizeOf(index)
  return keys === expected ? undefined : `${keys} entries in index ${index}, not ${expected}`
}

function wrongHash({ index, name, hash, records }: BucketRow): string | undefined {
  const right = equalBytes(hash, subtreeHash(records, name[name.byteLength - 1] as number))
  return right ? undefined : `wrong hash of bucket ${toHex(name)} of index ${index}`
}

/** Whether two neighbours are the halves of a subtree that is small enough to be one bucket. */
function areOneBucket(left: BucketRow, right: BucketRow): boolean {
  const depth = left.name[left.name.byteLength - 1] as number
  if (depth === 0 || right.name[right.name.byteLength - 1] !== depth) return false
  for (let bit = 0; bit < depth - 1; bit++) if (bitAt(left.name, 0, bit) !== bitAt(right.name, 0, bit)) return false
  return left.records.byteLength + right.records.byteLength <= BUCKET_KEYS * RECORD_BYTES
}

async function keysFault(store: StateStore, state: StateIndexes, index: StateIndex): Promise<string | undefined> {
  let keys = 0
  for await (const { keyHash, key } of store.allKeys(index)) {
    if (!equalBytes(sha256(key), keyHash) || state.get(index, keyHash) === undefined) {
      return `wrong key ${toHex(keyHash)} of index ${index}`
    }
    keys++
  }
  const expected = state.sizeOf(index)
  return keys === expected ? undefined : `${keys} keys in index ${index}, not ${expected}`
}
