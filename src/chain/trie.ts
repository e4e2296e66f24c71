import { HASH_BYTES } from './merkle.ts'
import { TrieNodes } from './trie-nodes.ts'
import {
  bitAt,
  compareKeyHash,
  foldRecord,
  hashRecord,
  type IndexEntry,
  RECORD_BYTES,
  readEntry,
  writeEntry,
  writeKeyHash
} from './trie-record.ts'

export type { IndexEntry } from './trie-record.ts'

/** Names a key of one trie for as long as the trie lives. */
type Slot = number

const PAGE_BITS = 10
const PAGE = 1 << PAGE_BITS

/**
 * One index of protocol §6 wholly in memory: a Merkle trie over the bits of SHA-256(key), most significant first. An
 * empty subtree is 32 zero bytes, a subtree with one key SHA-256(0x00 ‖ key hash ‖ count u64 ‖ head), any other
 * SHA-256(0x01 ‖ left ‖ right). A node keeps its tries on disk (bucket-trie.ts); this one is what chains are made and
 * databases are checked with: a leaf a key, and nothing read or written.
 *
 * A change marks its path; `root()` hashes what is marked and nothing else, once, however many changes there were since.
 * About 180 bytes a key. A key costs one leaf and as many nodes as it shares bits with its nearest neighbour: to force a
 * path of d bits somebody has to find a partial collision of d bits, so depth (and recursion) stays near log₂(keys), and
 * below 256.
 */
export class IndexTrie {
  readonly #nodes = new TrieNodes()
  readonly #recordPages: Uint8Array[] = []
  #size = 0

  /** How many keys there are. */
  get size(): number {
    return this.#size
  }

  /** Bytes allocated. */
  get bytes(): number {
    return this.#nodes.bytes + PAGE * RECORD_BYTES * this.#recordPages.length
  }

  get(keyHash: Uint8Array): IndexEntry | undefined {
    const slot = this.#find(keyHash)
    return slot === undefined ? undefined : readEntry(this.#page(slot), placeOf(slot))
  }

  /** @throws RangeError if a field has not its length, or count is not an integer in 0 … 2⁵³−1 */
  set(keyHash: Uint8Array, entry: IndexEntry): void {
    if (keyHash.byteLength !== HASH_BYTES) throw new RangeError(`a key hash is ${HASH_BYTES} bytes`)
    writeEntry(new Uint8Array(RECORD_BYTES), 0, entry)
    const slot = this.#touch(keyHash, 0)
    writeEntry(this.#page(slot), placeOf(slot), entry)
  }

  /** Adds the event whose id is at `idAt` to the key whose hash is at `keyAt`, which may be new. */
  fold(keyHashes: Uint8Array, keyAt: number, eventIds: Uint8Array, idAt: number): void {
    const slot = this.#touch(keyHashes, keyAt)
    foldRecord(this.#page(slot), placeOf(slot), eventIds, idAt)
  }

  /** Hashes what changed since the last call: one hash a leaf and node on the changed paths. A copy. */
  root(): Uint8Array {
    this.#refresh(this.#nodes.top, 0)
    return this.#nodes.childHash(this.#nodes.top, 0)
  }

  /** The slot of the key whose hash is at `offset`, made if it is new; its path is marked stale. */
  #touch(keyHashes: Uint8Array, offset: number): Slot {
    const nodes = this.#nodes
    let node = nodes.top
    let side = 0
    for (let depth = 0; ; depth++) {
      if (nodes.isEmpty(node, side)) {
        const leaf = this.#addLeaf(keyHashes, offset)
        nodes.setLeaf(node, side, leaf)
        return leaf
      }
      if (nodes.isLeaf(node, side)) {
        const leaf = nodes.child(node, side)
        if (compareKeyHash(this.#page(leaf), placeOf(leaf), keyHashes, offset) === 0) {
          nodes.markStale(node, side)
          return leaf
        }
        return this.#split(node, side, depth, leaf, keyHashes, offset)
      }
      nodes.markStale(node, side)
      node = nodes.child(node, side)
      side = bitAt(keyHashes, offset, depth)
    }
  }

  /** Puts nodes where `leaf` was, as many as its key and the new one share bits from `depth` on, and one more. */
  #split(at: number, atSide: number, depth: number, leaf: Slot, keyHashes: Uint8Array, offset: number): Slot {
    const nodes = this.#nodes
    let node = at
    let side = atSide
    for (let level = depth; ; level++) {
      const next = nodes.add()
      nodes.setNode(node, side, next)
      node = next
      side = bitAt(keyHashes, offset, level)
      const other = bitAt(this.#page(leaf), placeOf(leaf), level)
      if (other === side) continue
      nodes.setLeaf(node, other, leaf)
      const added = this.#addLeaf(keyHashes, offset)
      nodes.setLeaf(node, side, added)
      return added
    }
  }

  #addLeaf(keyHashes: Uint8Array, offset: number): Slot {
    const slot = this.#size++
    if ((slot & (PAGE - 1)) === 0) this.#recordPages.push(new Uint8Array(PAGE * RECORD_BYTES))
    writeKeyHash(this.#page(slot), placeOf(slot), keyHashes, offset)
    return slot
  }

  #find(keyHash: Uint8Array): Slot | undefined {
    const nodes = this.#nodes
    let node = nodes.top
    let side = 0
    for (let depth = 0; !nodes.isEmpty(node, side); depth++) {
      const child = nodes.child(node, side)
      if (nodes.isLeaf(node, side)) {
        return compareKeyHash(this.#page(child), placeOf(child), keyHash, 0) === 0 ? child : undefined
      }
      node = child
      side = bitAt(keyHash, 0, depth)
    }
    return undefined
  }

  #refresh(node: number, side: number): void {
    const nodes = this.#nodes
    if (!nodes.isStale(node, side)) return
    const child = nodes.child(node, side)
    if (nodes.isLeaf(node, side)) {
      nodes.hashLeaf(node, side, (out, at) => hashRecord(this.#page(child), placeOf(child), out, at))
      return
    }
    this.#refresh(child, 0)
    this.#refresh(child, 1)
    nodes.hashNode(node, side)
  }

  #page(slot: Slot): Uint8Array {
    return this.#recordPages[slot >>> PAGE_BITS] as Uint8Array
  }
}

function placeOf(slot: Slot): number {
  return (slot & (PAGE - 1)) * RECORD_BYTES
}
