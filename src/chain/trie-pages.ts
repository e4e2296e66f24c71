import { sha256Into } from '../crypto/sha256.ts'
import { HASH_BYTES } from './merkle.ts'

/**
 * The memory of a trie: records of fixed width in pages, so that growing allocates one page and copies nothing.
 * A leaf is its preimage 0x00 ‖ key hash ‖ count u64 ‖ head; a node is its preimage 0x01 ‖ left ‖ right and two
 * references. Node `top` is not part of the trie: its left child is the root. Nothing is ever removed.
 */

const PAGE_BITS = 10
const PAGE = 1 << PAGE_BITS
const PAGE_MASK = PAGE - 1

const KEY_AT = 1
const COUNT_AT = KEY_AT + HASH_BYTES
const COUNT_BYTES = 8
const HEAD_AT = COUNT_AT + COUNT_BYTES
const LEAF_BYTES = HEAD_AT + HASH_BYTES
const NODE_BYTES = 1 + 2 * HASH_BYTES

/** A reference: 0 is the empty subtree, else the record's index + 1 and two marks. */
const IS_LEAF = 0x80000000
const IS_STALE = 0x40000000
const INDEX_MASK = 0x3fffffff

/** Preimages, reused: nothing yields between filling and hashing one, and a hash of a fixed buffer costs less than of a view. */
const leafPreimage = new Uint8Array(LEAF_BYTES)
const nodePreimage = new Uint8Array(NODE_BYTES)
/** 0x02 ‖ head ‖ event id */
const link = new Uint8Array(1 + 2 * HASH_BYTES)
link[0] = 0x02

export class TriePages {
  readonly top = 0
  readonly #leafPages: Uint8Array[] = []
  readonly #nodePages: Uint8Array[] = []
  readonly #childPages: Uint32Array[] = []
  #leaves = 0
  #nodes = 0

  constructor() {
    this.addNode()
  }

  get bytes(): number {
    return PAGE * (LEAF_BYTES * this.#leafPages.length + (NODE_BYTES + 8) * this.#nodePages.length)
  }

  addNode(): number {
    const node = this.#nodes++
    if ((node & PAGE_MASK) === 0) {
      this.#nodePages.push(new Uint8Array(PAGE * NODE_BYTES))
      this.#childPages.push(new Uint32Array(PAGE * 2))
    }
    this.#nodePage(node)[nodeAt(node)] = 0x01
    return node
  }

  addLeaf(keyHashes: Uint8Array, offset: number): number {
    const leaf = this.#leaves++
    if ((leaf & PAGE_MASK) === 0) this.#leafPages.push(new Uint8Array(PAGE * LEAF_BYTES))
    const page = this.#leafPage(leaf)
    const at = leafAt(leaf) + KEY_AT
    for (let i = 0; i < HASH_BYTES; i++) page[at + i] = keyHashes[offset + i] as number
    return leaf
  }

  // References to children

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

  setLeaf(node: number, side: number, leaf: number): void {
    this.#setReference(node, side, (IS_LEAF | IS_STALE | (leaf + 1)) >>> 0)
  }

  setNode(node: number, side: number, child: number): void {
    this.#setReference(node, side, IS_STALE | (child + 1))
  }

  markStale(node: number, side: number): void {
    this.#setReference(node, side, (this.#reference(node, side) | IS_STALE) >>> 0)
  }

  #reference(node: number, side: number): number {
    return (this.#childPages[node >>> PAGE_BITS] as Uint32Array)[(node & PAGE_MASK) * 2 + side] as number
  }

  #setReference(node: number, side: number, reference: number): void {
    const page = this.#childPages[node >>> PAGE_BITS] as Uint32Array
    page[(node & PAGE_MASK) * 2 + side] = reference
  }

  // Hashes and records

  /** The hash kept for a child; a copy. */
  childHash(node: number, side: number): Uint8Array {
    const at = hashAt(node, side)
    return this.#nodePage(node).slice(at, at + HASH_BYTES)
  }

  /** Hashes the leaf or node that a child is, from its record, and keeps the result: the child is no longer stale. */
  hashChild(node: number, side: number): void {
    const child = this.child(node, side)
    const preimage = this.isLeaf(node, side)
      ? copyRecord(this.#leafPage(child), leafAt(child), leafPreimage)
      : copyRecord(this.#nodePage(child), nodeAt(child), nodePreimage)
    sha256Into(this.#nodePage(node), preimage, hashAt(node, side))
    this.#setReference(node, side, (this.#reference(node, side) & ~IS_STALE) >>> 0)
  }

  leafHasKey(leaf: number, keyHashes: Uint8Array, offset: number): boolean {
    const page = this.#leafPage(leaf)
    const at = leafAt(leaf) + KEY_AT
    for (let i = 0; i < HASH_BYTES; i++) if (page[at + i] !== keyHashes[offset + i]) return false
    return true
  }

  /** Bit `index` of the leaf's key hash. */
  leafBit(leaf: number, index: number): 0 | 1 {
    const byte = this.#leafPage(leaf)[leafAt(leaf) + KEY_AT + (index >>> 3)] as number
    return ((byte >>> (7 - (index & 7))) & 1) as 0 | 1
  }

  /** A copy. */
  keyHash(leaf: number): Uint8Array {
    const at = leafAt(leaf) + KEY_AT
    return this.#leafPage(leaf).slice(at, at + HASH_BYTES)
  }

  /** A copy. */
  entry(leaf: number): { count: number; head: Uint8Array } {
    const page = this.#leafPage(leaf)
    const at = leafAt(leaf)
    let count = 0
    for (let i = COUNT_AT; i < HEAD_AT; i++) count = count * 256 + (page[at + i] as number)
    return { count, head: page.slice(at + HEAD_AT, at + LEAF_BYTES) }
  }

  setEntry(leaf: number, count: number, head: Uint8Array): void {
    const page = this.#leafPage(leaf)
    const at = leafAt(leaf)
    let rest = count
    for (let i = HEAD_AT - 1; i >= COUNT_AT; i--, rest = Math.floor(rest / 256)) page[at + i] = rest % 256
    page.set(head, at + HEAD_AT)
  }

  foldLeaf(leaf: number, eventIds: Uint8Array, offset: number): void {
    const page = this.#leafPage(leaf)
    const at = leafAt(leaf)
    for (let i = 0; i < HASH_BYTES; i++) {
      link[1 + i] = page[at + HEAD_AT + i] as number
      link[1 + HASH_BYTES + i] = eventIds[offset + i] as number
    }
    sha256Into(page, link, at + HEAD_AT)
    // Big-endian: a byte that turns to 0 carries into the one before.
    let digit = at + HEAD_AT - 1
    page[digit] = ((page[digit] as number) + 1) & 0xff
    while (page[digit] === 0) {
      digit--
      page[digit] = ((page[digit] as number) + 1) & 0xff
    }
  }

  #leafPage(leaf: number): Uint8Array {
    return this.#leafPages[leaf >>> PAGE_BITS] as Uint8Array
  }

  #nodePage(node: number): Uint8Array {
    return this.#nodePages[node >>> PAGE_BITS] as Uint8Array
  }
}

function leafAt(leaf: number): number {
  return (leaf & PAGE_MASK) * LEAF_BYTES
}

function nodeAt(node: number): number {
  return (node & PAGE_MASK) * NODE_BYTES
}

/** Where in its page a node keeps the hash of a child. */
function hashAt(node: number, side: number): number {
  return nodeAt(node) + 1 + side * HASH_BYTES
}

function copyRecord(page: Uint8Array, at: number, to: Uint8Array): Uint8Array {
  to.set(page.subarray(at, at + to.length))
  return to
}
