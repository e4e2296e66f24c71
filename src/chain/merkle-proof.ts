import { equalBytes } from '../codec/bytes.ts'
import { EMPTY_ROOT, HASH_BYTES, type LeafRange, merkleRoot, nodeHash } from './merkle.ts'

/**
 * Inclusion and consistency proofs of RFC 9162 §2.1.3 and §2.1.4. A proof is a list of subtree roots; which subtrees
 * is given by the `…Ranges` functions, so that a prover may take each root from leaf hashes (here) or from a stored
 * mountain range (perfectSubtrees in mmr.ts). The verifiers take what a peer sent: nothing makes them throw.
 */

/** PATH(index, D[size]): the subtrees whose roots prove leaf `index`, from the leaf up. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  if (!isCount(index) || !isCount(size) || index >= size) throw new RangeError(`no leaf ${index} in a tree of ${size}`)
  const ranges: LeafRange[] = []
  let start = 0
  let end = size
  while (end - start > 1) {
    const middle = start + split(end - start)
    if (index < middle) {
      ranges.push({ start: middle, end })
      end = middle
    } else {
      ranges.push({ start, end: middle })
      start = middle
    }
  }
  return ranges.reverse()
}

/** PROOF(from, D[to]): the subtrees whose roots prove that the tree of `to` leaves extends that of `from`; 0 ≤ from ≤ to. */
export function consistencyRanges(from: number, to: number): LeafRange[] {
  if (!isCount(from) || !isCount(to) || from > to)
    throw new RangeError(`a tree of ${to} does not extend one of ${from}`)
  if (from === 0) return []
  const ranges: LeafRange[] = []
  let start = 0
  let end = to
  while (end !== from) {
    const middle = start + split(end - start)
    if (from <= middle) {
      ranges.push({ start: middle, end })
      end = middle
    } else {
      ranges.push({ start, end: middle })
      start = middle
    }
  }
  // The verifier holds the old root itself, so the subtree that is the whole old tree needs no mention.
  if (start > 0) ranges.push({ start, end })
  return ranges.reverse()
}

/** @throws RangeError if there is no such leaf */
export function inclusionProof(leafHashes: readonly Uint8Array[], index: number): Uint8Array[] {
  return rangeRoots(leafHashes, inclusionRanges(index, leafHashes.length))
}

/** @throws RangeError if there are fewer than `from` leaves */
export function consistencyProof(leafHashes: readonly Uint8Array[], from: number): Uint8Array[] {
  return rangeRoots(leafHashes, consistencyRanges(from, leafHashes.length))
}

export interface InclusionClaim {
  readonly leafHash: Uint8Array
  readonly index: number
  readonly size: number
  readonly path: readonly Uint8Array[]
  readonly root: Uint8Array
}

/** RFC 9162 §2.1.3.2. */
export function verifyInclusion({ leafHash, index, size, path, root }: InclusionClaim): boolean {
  if (!isCount(index) || !isCount(size) || index >= size || !areHashes([leafHash, ...path])) return false
  let at = index
  let last = size - 1
  let hash = leafHash
  for (const sibling of path) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash)
      for (; at % 2 === 0 && at !== 0; at = half(at)) last = half(last)
    } else {
      hash = nodeHash(hash, sibling)
    }
    at = half(at)
    last = half(last)
  }
  return last === 0 && equalBytes(hash, root)
}

/**
 * The peaks of the range over leaves 0 … index − 1, largest first: they are the left siblings in the leaf's path. What
 * they are is only known if the path is (verifyInclusion).
 */
export function peaksInPath(index: number, size: number, path: readonly Uint8Array[]): Uint8Array[] {
  const peaks: Uint8Array[] = []
  let at = index
  let last = size - 1
  for (const sibling of path) {
    if (at % 2 === 1 || at === last) {
      peaks.push(sibling)
      for (; at % 2 === 0 && at !== 0; at = half(at)) last = half(last)
    }
    at = half(at)
    last = half(last)
  }
  return peaks.reverse()
}

export interface ConsistencyClaim {
  readonly from: number
  readonly to: number
  readonly fromRoot: Uint8Array
  readonly toRoot: Uint8Array
  readonly path: readonly Uint8Array[]
}

/** RFC 9162 §2.1.4.2; besides, the empty tree is extended by every tree, and a tree by itself, both by an empty path. */
export function verifyConsistency({ from, to, fromRoot, toRoot, path }: ConsistencyClaim): boolean {
  if (!isCount(from) || !isCount(to) || from > to || !areHashes([fromRoot, toRoot, ...path])) return false
  if (from === 0)
    return path.length === 0 && equalBytes(fromRoot, EMPTY_ROOT) && (to > 0 || equalBytes(toRoot, EMPTY_ROOT))
  if (from === to) return path.length === 0 && equalBytes(fromRoot, toRoot)
  let at = from - 1
  let last = to - 1
  for (; at % 2 === 1; at = half(at)) last = half(last)
  // `at` is 0 exactly if `from` is a power of two: then the old root starts the path.
  const [first, ...rest] = at === 0 ? [fromRoot, ...path] : path
  if (first === undefined) return false
  let oldHash = first
  let newHash = first
  for (const sibling of rest) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      oldHash = nodeHash(sibling, oldHash)
      newHash = nodeHash(sibling, newHash)
      for (; at % 2 === 0 && at !== 0; at = half(at)) last = half(last)
    } else {
      newHash = nodeHash(newHash, sibling)
    }
    at = half(at)
    last = half(last)
  }
  return last === 0 && equalBytes(oldHash, fromRoot) && equalBytes(newHash, toRoot)
}

function rangeRoots(leafHashes: readonly Uint8Array[], ranges: readonly LeafRange[]): Uint8Array[] {
  return ranges.map(({ start, end }) => merkleRoot(leafHashes.slice(start, end)))
}

/** The largest power of two below `size`, which is at least 2. Exact below 2⁵³, where log2 alone is not. */
function split(size: number): number {
  let width = 1
  while (width * 2 < size) width *= 2
  return width
}

function half(value: number): number {
  return Math.floor(value / 2)
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function areHashes(values: readonly Uint8Array[]): boolean {
  return values.every((value) => value.byteLength === HASH_BYTES)
}
