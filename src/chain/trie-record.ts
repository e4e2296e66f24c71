import { sha256Into } from '../crypto/sha256.ts'
import { HASH_BYTES } from './merkle.ts'

/**
 * A key of an index as 72 bytes: key hash ‖ count u64 ‖ head. It is what a leaf of the trie hashes, after 0x00, and what
 * a bucket holds on disk. Every function here takes a page of such records and where in it one begins.
 */

const COUNT_AT = HASH_BYTES
const COUNT_BYTES = 8
const HEAD_AT = COUNT_AT + COUNT_BYTES
export const RECORD_BYTES = HEAD_AT + HASH_BYTES

export interface IndexEntry {
  /** How many events have this key. */
  readonly count: number
  /** Hash over their ids in order. */
  readonly head: Uint8Array
}

/** 0x00 ‖ record. Reused: nothing yields between filling and hashing it, and a fixed buffer hashes faster than a view. */
const leafPreimage = new Uint8Array(1 + RECORD_BYTES)
/** 0x02 ‖ head ‖ event id */
const link = new Uint8Array(1 + 2 * HASH_BYTES)
link[0] = 0x02

/** Writes the key hash of a new record; its count is 0 and its head zeros if the page was. */
export function writeKeyHash(page: Uint8Array, at: number, keyHashes: Uint8Array, offset: number): void {
  for (let i = 0; i < HASH_BYTES; i++) page[at + i] = keyHashes[offset + i] as number
}

/** @throws RangeError if head has not its length, or count is not an integer in 0 … 2⁵³−1 */
export function writeEntry(page: Uint8Array, at: number, { count, head }: IndexEntry): void {
  if (head.byteLength !== HASH_BYTES) throw new RangeError(`a head is ${HASH_BYTES} bytes`)
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`${count} is not a count of events`)
  let rest = count
  for (let i = HEAD_AT - 1; i >= COUNT_AT; i--, rest = Math.floor(rest / 256)) page[at + i] = rest % 256
  page.set(head, at + HEAD_AT)
}

/** A copy. */
export function readEntry(page: Uint8Array, at: number): IndexEntry {
  return { count: readCount(page, at), head: readHead(page, at).slice() }
}

export function readCount(page: Uint8Array, at: number): number {
  let count = 0
  for (let i = COUNT_AT; i < HEAD_AT; i++) count = count * 256 + (page[at + i] as number)
  return count
}

/** A part of the page. */
export function readHead(page: Uint8Array, at: number): Uint8Array {
  return page.subarray(at + HEAD_AT, at + RECORD_BYTES)
}

/** Below, at or above 0 as the record's key hash is before, the same as, or behind the other. */
export function compareKeyHash(page: Uint8Array, at: number, keyHashes: Uint8Array, offset: number): number {
  for (let i = 0; i < HASH_BYTES; i++) {
    const difference = (page[at + i] as number) - (keyHashes[offset + i] as number)
    if (difference !== 0) return difference
  }
  return 0
}

/** Adds the event whose id is at `offset`: count + 1, head = SHA-256(0x02 ‖ head ‖ event id). */
export function foldRecord(page: Uint8Array, at: number, eventIds: Uint8Array, offset: number): void {
  for (let i = 0; i < HASH_BYTES; i++) {
    link[1 + i] = page[at + HEAD_AT + i] as number
    link[1 + HASH_BYTES + i] = eventIds[offset + i] as number
  }
  sha256Into(page, link, at + HEAD_AT)
  addCount(page, at, 1)
}

/** The same for events one after another: their ids are at the given places among 32-byte ids. */
export function foldRecords(page: Uint8Array, at: number, eventIds: Uint8Array, places: Uint32Array): void {
  for (let i = 0; i < HASH_BYTES; i++) link[1 + i] = page[at + HEAD_AT + i] as number
  for (const place of places) {
    const offset = place * HASH_BYTES
    for (let i = 0; i < HASH_BYTES; i++) link[1 + HASH_BYTES + i] = eventIds[offset + i] as number
    sha256Into(link, link, 1)
  }
  for (let i = 0; i < HASH_BYTES; i++) page[at + HEAD_AT + i] = link[1 + i] as number
  addCount(page, at, places.length)
}

/** Big-endian: what does not fit into a byte carries into the one before. */
function addCount(page: Uint8Array, at: number, more: number): void {
  for (let digit = at + HEAD_AT - 1, rest = more; rest > 0; digit--) {
    const sum = (page[digit] as number) + rest
    page[digit] = sum & 0xff
    rest = sum >>> 8
  }
}

/** Writes the leaf's hash to out[to, to + 32). */
export function hashRecord(page: Uint8Array, at: number, out: Uint8Array, to: number): void {
  for (let i = 0; i < RECORD_BYTES; i++) leafPreimage[1 + i] = page[at + i] as number
  sha256Into(out, leafPreimage, to)
}

/** Bit `index` (most significant first) of the 32 bytes at `offset`. */
export function bitAt(bytes: Uint8Array, offset: number, index: number): 0 | 1 {
  return (((bytes[offset + (index >>> 3)] as number) >>> (7 - (index & 7))) & 1) as 0 | 1
}
