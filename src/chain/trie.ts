import { HASH_BYTES } from './merkle.ts'
import { TriePages } from './trie-pages.ts'

/**
 * One index of protocol §6: a Merkle trie over the bits of SHA-256(key), most significant first. An empty subtree is
 * 32 zero bytes, a subtree with one key SHA-256(0x00 ‖ key hash ‖ count u64 ‖ head), any other
 * SHA-256(0x01 ‖ left ‖ right).
 *
 * Every node's preimage is kept as it is hashed, in pages of typed arrays: a node's hash lies in its parent's record,
 * with a mark if it is stale. A change marks its path; `root()` hashes what is marked and nothing else, once, however
 * many changes there were since. About 180 bytes a key, and no objects for the collector to walk.
 *
 * A key costs one leaf and as many nodes as it shares bits with its nearest neighbour: to force a path of d bits
 * somebody has to find a partial collision of d bits, so depth (and recursion) stays near log₂(keys), and below 256.
 */
export interface IndexEntry {
  /** How many events have this key. */
  readonly count: number
  /** Hash over their ids in order. */
  readonly head: Uint8Array
}

/** Names a key of one trie for as long as the trie lives. */
export type Slot = number

export class IndexTrie {
  readonly #pages = new TriePages()
  #size = 0

  /** How many keys there are. */
  get size(): number {
    return this.#size
  }

  /** Bytes allocated. */
  get bytes(): number {
    return this.#pages.bytes
  }

  get(keyHash: Uint8Array): IndexEntry | undefined {
    const slot = this.#find(keyHash)
    return slot === undefined ? undefined : this.entry(slot)
  }

  /** @throws RangeError if a field has not its length, or count is not an integer in 0 … 2⁵³−1 */
  set(keyHash: Uint8Array, { count, head }: IndexEntry): void {
    if (keyHash.byteLength !== HASH_BYTES || head.byteLength !== HASH_BYTES) {
      throw new RangeError(`key hash and head are ${HASH_BYTES} bytes`)
    }
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`${count} is not a count of events`)
    this.#pages.setEntry(this.touch(keyHash, 0), count, head)
  }

  /**
   * The slot of the key whose hash is at `offset`, made with count 0 and a head of zeros if it is new; its path is
   * marked stale. Follow with `fold` or `set`.
   */
  touch(keyHashes: Uint8Array, offset: number): Slot {
    const pages = this.#pages
    let node = pages.top
    let side = 0
    for (let depth = 0; ; depth++) {
      if (pages.isEmpty(node, side)) {
        const leaf = pages.addLeaf(keyHashes, offset)
        pages.setLeaf(node, side, leaf)
        this.#size++
        return leaf
      }
      if (pages.isLeaf(node, side)) {
        const leaf = pages.child(node, side)
        if (pages.leafHasKey(leaf, keyHashes, offset)) {
          pages.markStale(node, side)
          return leaf
        }
        return this.#split(node, side, depth, leaf, keyHashes, offset)
      }
      pages.markStale(node, side)
      node = pages.child(node, side)
      side = bit(keyHashes, offset, depth)
    }
  }

  /** Puts nodes where `leaf` was, as many as its key and the new one share bits from `depth` on, and one more. */
  #split(at: number, atSide: number, depth: number, leaf: Slot, keyHashes: Uint8Array, offset: number): Slot {
    const pages = this.#pages
    let node = at
    let side = atSide
    for (let level = depth; ; level++) {
      const next = pages.addNode()
      pages.setNode(node, side, next)
      node = next
      side = bit(keyHashes, offset, level)
      const other = pages.leafBit(leaf, level)
      if (other === side) continue
      pages.setLeaf(node, other, leaf)
      const added = pages.addLeaf(keyHashes, offset)
      pages.setLeaf(node, side, added)
      this.#size++
      return added
    }
  }

  /** Adds the event whose id is at `offset` to a touched slot: count + 1, head = SHA-256(0x02 ‖ head ‖ event id). */
  fold(slot: Slot, eventIds: Uint8Array, offset: number): void {
    this.#pages.foldLeaf(slot, eventIds, offset)
  }

  entry(slot: Slot): IndexEntry {
    return this.#pages.entry(slot)
  }

  keyHash(slot: Slot): Uint8Array {
    return this.#pages.keyHash(slot)
  }

  #find(keyHash: Uint8Array): Slot | undefined {
    const pages = this.#pages
    let node = pages.top
    let side = 0
    for (let depth = 0; !pages.isEmpty(node, side); depth++) {
      const child = pages.child(node, side)
      if (pages.isLeaf(node, side)) return pages.leafHasKey(child, keyHash, 0) ? child : undefined
      node = child
      side = bit(keyHash, 0, depth)
    }
    return undefined
  }

  /** Hashes what changed since the last call: one hash a leaf and node on the changed paths. A copy. */
  root(): Uint8Array {
    this.#refresh(this.#pages.top, 0)
    return this.#pages.childHash(this.#pages.top, 0)
  }

  #refresh(node: number, side: number): void {
    const pages = this.#pages
    if (!pages.isStale(node, side)) return
    if (!pages.isLeaf(node, side)) {
      const child = pages.child(node, side)
      this.#refresh(child, 0)
      this.#refresh(child, 1)
    }
    pages.hashChild(node, side)
  }
}

function bit(bytes: Uint8Array, offset: number, index: number): 0 | 1 {
  return (((bytes[offset + (index >>> 3)] as number) >>> (7 - (index & 7))) & 1) as 0 | 1
}
