import { sha256Into } from '../crypto/sha256.ts'
import { HASH_BYTES } from './merkle.ts'

/**
 * The inner nodes of a trie in memory: records of fixed width in pages, so that growing allocates one page and copies
 * nothing, and there are no objects for the collector to walk. A node is its preimage 0x01 ‖ left ‖ right and two
 * references; a child's hash lies in its parent's record, with a mark if it is stale. Node `top` is not part of the
 * trie: its left child is the root. What a leaf is, is its owner's business: here it is a number. Nodes are never removed.
 */

const PAGE_BITS = 10
const PAGE = 1 << PAGE_BITS
const PAGE_MASK = PAGE - 1
const NODE_BYTES = 1 + 2 * HASH_BYTES

/** A reference: 0 is the empty subtree, else the index + 1 and two marks. */
const IS_LEAF = 0x80000000
const IS_STALE = 0x40000000
const INDEX_MASK = 0x3fffffff

/** Reused: nothing yields between filling and hashing it, and a hash of a fixed buffer costs less than of a view. */
const preimage = new Uint8Array(NODE_BYTES)

export class TrieNodes {
  readonly top = 0
  readonly #nodePages: Uint8Array[] = []
  readonly #childPages: Uint32Array[] = []
  #nodes = 0

  constructor() {
    this.add()
  }

  /** Allocated. */
  get bytes(): number {
    return PAGE * (NODE_BYTES + 8) * this.#nodePages.length
  }

  add(): number {
    const node = this.#nodes++
    if ((node & PAGE_MASK) === 0) {
      this.#nodePages.push(new Uint8Array(PAGE * NODE_BYTES))
      this.#childPages.push(new Uint32Array(PAGE * 2))
    }
    this.#nodePage(node)[nodeAt(node)] = 0x01
    return node
  }

  isEmpty(node: number, side: number): boolean {
    return this.#reference(node, side) === 0
  }

  isLeaf(node: number, side: number): boolean {
    return (this.#reference(node, side) & IS_LEAF) !== 0
  }

  isStale(node: number, side: number): boolean {
    return (this.#reference(node, side) & IS_STALE) !== 0
  }

  /** The leaf or node that a child is; there must be one. */
  child(node: number, side: number): number {
    return (this.#reference(node, side) & INDEX_MASK) - 1
  }

  /** Stale. */
  setLeaf(node: number, side: number, leaf: number): void {
    this.#setReference(node, side, (IS_LEAF | IS_STALE | (leaf + 1)) >>> 0)
  }

  /** Stale. */
  setNode(node: number, side: number, child: number): void {
    this.#setReference(node, side, IS_STALE | (child + 1))
  }

  markStale(node: number, side: number): void {
    this.#setReference(node, side, (this.#reference(node, side) | IS_STALE) >>> 0)
  }

  /** The hash kept for a child; a copy. */
  childHash(node: number, side: number): Uint8Array {
    const at = hashAt(node, side)
    return this.#nodePage(node).slice(at, at + HASH_BYTES)
  }

  /** Hashes the node that a child is from its record: the child is no longer stale. */
  hashNode(node: number, side: number): void {
    const child = this.child(node, side)
    const page = this.#nodePage(child)
    const at = nodeAt(child)
    for (let i = 0; i < NODE_BYTES; i++) preimage[i] = page[at + i] as number
    sha256Into(this.#nodePage(node), preimage, hashAt(node, side))
    this.#fresh(node, side)
  }

  /** Lets `write` put the hash of the leaf that a child is where it is told: the child is no longer stale. */
  hashLeaf(node: number, side: number, write: (out: Uint8Array, at: number) => void): void {
    write(this.#nodePage(node), hashAt(node, side))
    this.#fresh(node, side)
  }

  #fresh(node: number, side: number): void {
    this.#setReference(node, side, (this.#reference(node, side) & ~IS_STALE) >>> 0)
  }

  #reference(node: number, side: number): number {
    return (this.#childPages[node >>> PAGE_BITS] as Uint32Array)[(node & PAGE_MASK) * 2 + side] as number
  }

  #setReference(node: number, side: number, reference: number): void {
    const page = this.#childPages[node >>> PAGE_BITS] as Uint32Array
    page[(node & PAGE_MASK) * 2 + side] = reference
  }

  #nodePage(node: number): Uint8Array {
    return this.#nodePages[node >>> PAGE_BITS] as Uint8Array
  }
}

function nodeAt(node: number): number {
  return (node & PAGE_MASK) * NODE_BYTES
}

/** Where in its page a node keeps the hash of a child. */
function hashAt(node: number, side: number): number {
  return nodeAt(node) + 1 + side * HASH_BYTES
}
