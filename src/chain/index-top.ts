import { toHex } from '../codec/bytes.ts'
import { type TopItem, TopKind } from '../codec/generated/snapshot.ts'
import { sha256 } from '../crypto/sha256.ts'
import { entryBytes, hasPrefix, MAX_ENTRIES_BYTES, prefixBelow, recordsOf } from './index-entries.ts'
import { HASH_BYTES, nodeHash } from './merkle.ts'
import { type SnapshotFailure, snapshotFailure } from './snapshot-failures.ts'
import { subtreeHash } from './trie-bucket.ts'
import { bitAt } from './trie-record.ts'

export { type TopItem, TopKind } from '../codec/generated/snapshot.ts'

/** A subtree whose entries are a chunk. */
export interface ChunkPlace {
  /** The bits that its keys share, padded with zeros. */
  readonly prefix: Uint8Array
  readonly depth: number
  readonly hash: Uint8Array
}

export interface FoldedTop {
  readonly root: Uint8Array
  /** In the order of key hashes. */
  readonly chunks: readonly ChunkPlace[]
}

/** The root that a top stands for, and its chunks; or what is wrong with it. At most one hash an item. */
export function foldTop(items: readonly TopItem[]): FoldedTop | SnapshotFailure<'MANIFEST_TOP' | 'MANIFEST_CUT'> {
  const fold = new TopFold(items)
  const root = fold.subtree(new Uint8Array(HASH_BYTES), 0)
  if (fold.failure !== undefined || root === undefined) return fold.failure as SnapshotFailure<'MANIFEST_TOP'>
  const { rest, chunks } = fold
  return rest === 0
    ? { root: root.hash, chunks }
    : snapshotFailure('MANIFEST_TOP', `${rest} items follow the top's end`)
}

/** Bits of a key hash: no honest trie is deeper, and a deeper list would only fill the stack. */
const MAX_DEPTH = 8 * HASH_BYTES

interface Subtree {
  readonly hash: Uint8Array
  /** Of its entries in a chunk; undefined: of a chunk, or more than one. */
  readonly bytes: number | undefined
  readonly kind: TopItem['kind']
}

class TopFold {
  readonly chunks: ChunkPlace[] = []
  failure: SnapshotFailure<'MANIFEST_TOP' | 'MANIFEST_CUT'> | undefined
  readonly #items: readonly TopItem[]
  #next = 0

  constructor(items: readonly TopItem[]) {
    this.#items = items
  }

  get rest(): number {
    return this.#items.length - this.#next
  }

  /** Undefined: there is a failure. */
  subtree(prefix: Uint8Array, depth: number): Subtree | undefined {
    const number = this.#next++
    const item = this.#items[number]
    if (item === undefined) return this.#malformed('it ends before its last subtree')
    const { kind, key, count, head, hash } = item
    const leaf = kind === TopKind.LEAF
    const chunk = kind === TopKind.CHUNK
    const right =
      (leaf
        ? key.byteLength > 0 && count > 0 && head.byteLength > 0
        : key.byteLength + count + head.byteLength === 0) && hash.byteLength === (chunk ? HASH_BYTES : 0)
    if (!right) return this.#malformed(`item ${number} has not the fields of its kind`)
    if (kind === TopKind.EMPTY) return { kind, hash: new Uint8Array(HASH_BYTES), bytes: 0 }
    if (leaf) return this.#leaf(item, prefix, depth)
    if (chunk) {
      this.chunks.push({ prefix, depth, hash })
      return { kind, hash, bytes: undefined }
    }
    if (kind !== TopKind.NODE) return this.#malformed(`item ${number} is of no kind`)
    return this.#node(number, prefix, depth)
  }

  #leaf({ kind, key, count, head }: TopItem, prefix: Uint8Array, depth: number): Subtree | undefined {
    const keyHash = sha256(key)
    if (!hasPrefix(keyHash, prefix, depth)) return this.#malformed(`key ${toHex(key)} does not belong where it is`)
    return {
      kind,
      hash: subtreeHash(recordsOf([{ keyHash, count, head }]), depth),
      bytes: entryBytes(key.byteLength, count)
    }
  }

  #node(number: number, prefix: Uint8Array, depth: number): Subtree | undefined {
    if (depth === MAX_DEPTH) return this.#malformed(`item ${number} is below ${MAX_DEPTH} nodes`)
    const left = this.subtree(prefix, depth + 1)
    const right = left && this.subtree(prefixBelow(prefix, depth, 1), depth + 1)
    if (left === undefined || right === undefined) return undefined
    const bytes = left.bytes === undefined || right.bytes === undefined ? undefined : left.bytes + right.bytes
    const small = bytes !== undefined && bytes <= MAX_ENTRIES_BYTES
    // A chunk beside nothing is the whole subtree: it should have been cut one level higher.
    const lone = left.bytes === 0 ? right.kind : right.bytes === 0 ? left.kind : undefined
    if (small || lone === TopKind.CHUNK) {
      this.failure ??= snapshotFailure('MANIFEST_CUT', `the subtree of item ${number} is not larger than a chunk`)
      return undefined
    }
    return { kind: TopKind.NODE, hash: nodeHash(left.hash, right.hash), bytes }
  }

  #malformed(why: string): undefined {
    this.failure ??= snapshotFailure('MANIFEST_TOP', why)
    return undefined
  }
}

/** What a walk down a top ends at. */
export interface TopPath {
  /** Hashes of the subtrees beside the way, from the root down. */
  readonly siblings: readonly Uint8Array[]
  readonly end: TopItem
  /** Place of the end among the top's chunks, if it is one. */
  readonly chunk: number
}

/** The way of a key down a top that `foldTop` finds no fault in. */
export function pathInTop(items: readonly TopItem[], keyHash: Uint8Array): TopPath {
  const siblings: Uint8Array[] = []
  let at = 0
  for (let depth = 0; items[at]?.kind === TopKind.NODE; depth++) {
    const left = at + 1
    const right = endOf(items, left)
    const side = bitAt(keyHash, 0, depth)
    const [start, end] = side === 0 ? [right, endOf(items, right)] : [left, right]
    siblings.push(hashOf(items.slice(start, end), prefixOf(keyHash, depth, side === 0 ? 1 : 0), depth + 1))
    at = side === 0 ? left : right
  }
  const chunk = items.slice(0, at).filter(({ kind }) => kind === TopKind.CHUNK).length
  return { siblings, end: items[at] as TopItem, chunk }
}

function hashOf(items: readonly TopItem[], prefix: Uint8Array, depth: number): Uint8Array {
  return (new TopFold(items).subtree(prefix, depth) as Subtree).hash
}

/** The first `depth` bits of a key hash and then `bit`. */
function prefixOf(keyHash: Uint8Array, depth: number, bit: 0 | 1): Uint8Array {
  const prefix = new Uint8Array(HASH_BYTES)
  for (let i = 0; i < depth; i++) {
    if (bitAt(keyHash, 0, i) === 1) prefix[i >>> 3] = (prefix[i >>> 3] as number) | (0x80 >>> (i & 7))
  }
  return prefixBelow(prefix, depth, bit)
}

/** Behind the last item of the subtree that begins at `start`. */
function endOf(items: readonly TopItem[], start: number): number {
  let at = start
  for (let open = 1; open > 0; at++) open += items[at]?.kind === TopKind.NODE ? 1 : -1
  return at
}
