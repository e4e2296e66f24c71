import { equalBytes } from '../codec/bytes.ts'
import { stateRootHash, ZERO_HASH } from './domain.ts'
import type { HeaderFields } from './header-fields.ts'
import { hasPrefix, recordsOf } from './index-entries.ts'
import { HASH_BYTES, nodeHash } from './merkle.ts'
import type { StateIndex } from './state.ts'
import { splitAt, subtreeHash } from './trie-bucket.ts'
import { bitAt, type IndexEntry, RECORD_BYTES, readEntry } from './trie-record.ts'

/**
 * The way of one key down an index's trie (protocol §12). It ends at the key's leaf; or at nothing, or at the leaf of
 * another key that shares the bits so far: then the index does not have the key.
 */
export interface TriePath {
  /** Hashes of the subtrees beside the way, from the root down. */
  readonly siblings: readonly Uint8Array[]
  /** Undefined: it ends at nothing. */
  readonly leaf: ({ readonly keyHash: Uint8Array } & IndexEntry) | undefined
}

/** What a header's state says of one key. */
export interface KeyProof extends TriePath {
  readonly index: StateIndex
  readonly eventTotal: number
  /** Roots of the two other indexes, in their order. */
  readonly otherRoots: readonly [Uint8Array, Uint8Array]
}

/** The key's value; null: the index does not have the key; undefined: the proof proves nothing. */
export type Proven = IndexEntry | null | undefined

/** The way of a key in the subtree of depth `depth` whose records are all given, in order. */
export function provePath(records: Uint8Array, keyHash: Uint8Array, depth = 0): TriePath {
  const siblings: Uint8Array[] = []
  let start = 0
  let end = records.byteLength
  for (let level = depth; end - start > RECORD_BYTES; level++) {
    const middle = splitAt(records, start, end, level)
    if (bitAt(keyHash, 0, level) === 0) {
      siblings.push(subtreeHash(records, level + 1, middle, end))
      end = middle
    } else {
      siblings.push(subtreeHash(records, level + 1, start, middle))
      start = middle
    }
  }
  if (start === end) return { siblings, leaf: undefined }
  return { siblings, leaf: { keyHash: records.slice(start, start + HASH_BYTES), ...readEntry(records, start) } }
}

/** What a path proves under an index's root. Takes what a peer sent: nothing makes it throw. At most 257 hashes. */
export function verifyPath(root: Uint8Array, keyHash: Uint8Array, path: TriePath): Proven {
  const found = rootOf(keyHash, path)
  if (found === undefined || !equalBytes(found, root)) return undefined
  const { leaf } = path
  return leaf !== undefined && equalBytes(leaf.keyHash, keyHash) ? { count: leaf.count, head: leaf.head } : null
}

/** What a proof proves under a header that is trusted. Takes what a peer sent: nothing makes it throw. */
export function verifyKey(
  header: Pick<HeaderFields, 'stateRoot' | 'validatorsHash'>,
  keyHash: Uint8Array,
  proof: KeyProof
): Proven {
  const root = rootOf(keyHash, proof)
  const { eventTotal, otherRoots } = proof
  const plausible = Number.isSafeInteger(eventTotal) && eventTotal >= 0 && otherRoots.every(isHash)
  if (root === undefined || !plausible || otherRoots.length !== 2 || ![0, 1, 2].includes(proof.index)) return undefined
  const roots = [...otherRoots]
  roots.splice(proof.index, 0, root)
  const [actors, resources, actions] = roots as [Uint8Array, Uint8Array, Uint8Array]
  const stateRoot = stateRootHash(eventTotal, header.validatorsHash, actors, resources, actions)
  return equalBytes(stateRoot, header.stateRoot) ? verifyPath(root, keyHash, proof) : undefined
}

/** The index's root if the path is right; undefined: it can't be. */
function rootOf(keyHash: Uint8Array, { siblings, leaf }: TriePath): Uint8Array | undefined {
  const depth = siblings.length
  if (!isHash(keyHash) || depth > 8 * HASH_BYTES || !siblings.every(isHash)) return undefined
  let hash: Uint8Array = ZERO_HASH
  if (leaf !== undefined) {
    const plausible = isHash(leaf.keyHash) && isHash(leaf.head) && Number.isSafeInteger(leaf.count) && leaf.count > 0
    if (!plausible || !hasPrefix(leaf.keyHash, keyHash, depth)) return undefined
    hash = subtreeHash(recordsOf([leaf]), depth)
  }
  for (let level = depth - 1; level >= 0; level--) {
    const sibling = siblings[level] as Uint8Array
    hash = bitAt(keyHash, 0, level) === 0 ? nodeHash(hash, sibling) : nodeHash(sibling, hash)
  }
  return hash
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.byteLength === HASH_BYTES
}
