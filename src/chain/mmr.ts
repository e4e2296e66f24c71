import { EMPTY_ROOT, nodeHash } from './merkle.ts'

/**
 * A Merkle Mountain Range: the RFC 9162 tree of merkle.ts kept append-only. A leaf makes itself and the parents that it
 * completes, each a perfect subtree that ends with it, and no later leaf changes them; the peaks are the roots of the
 * perfect subtrees that the leaf count's binary digits name, largest first. Bagging them from right to left gives exactly
 * the RFC's root.
 *
 * Counts are integers below 2⁵³, so arithmetic here does without 32-bit operators.
 */
export class Mmr {
  #leafCount = 0
  /** Largest first. */
  #peaks: Uint8Array[] = []

  /** @throws RangeError if the number of peaks is not the one that `leafCount` has */
  static from(leafCount: number, peaks: readonly Uint8Array[]): Mmr {
    const expected = peakCount(leafCount)
    if (peaks.length !== expected) {
      throw new RangeError(`a range of ${leafCount} leaves has ${expected} peaks, not ${peaks.length}`)
    }
    return Mmr.#of(leafCount, peaks)
  }

  static #of(leafCount: number, peaks: readonly Uint8Array[]): Mmr {
    const mmr = new Mmr()
    mmr.#leafCount = leafCount
    mmr.#peaks = peaks.slice()
    return mmr
  }

  get leafCount(): number {
    return this.#leafCount
  }

  /** Largest first; a copy. */
  get peaks(): Uint8Array[] {
    return this.#peaks.slice()
  }

  /** Adds a leaf hash. @returns the parents that it completes, lowest first */
  append(leafHash: Uint8Array): Uint8Array[] {
    return this.#add(leafHash, 1)
  }

  /**
   * Adds the leaves of another range, of which each peak fits at this one's end: what was hashed there is not hashed again.
   * @returns the parents that its last leaf completes beyond its own, lowest first
   * @throws RangeError if a peak does not fit: as many leaves as it has must divide the leaf count
   */
  extend(other: Mmr): Uint8Array[] {
    const parents: Uint8Array[] = []
    let rest = other.#leafCount
    for (const peak of other.#peaks) {
      let level = 0
      while (2 ** (level + 1) <= rest) level++
      const leaves = 2 ** level
      if (this.#leafCount % leaves !== 0) throw new RangeError(`a peak of ${leaves} leaves after ${this.#leafCount}`)
      parents.push(...this.#add(peak, leaves))
      rest -= leaves
    }
    return parents
  }

  /** Adds a perfect subtree, of which so many must divide the leaf count. */
  #add(root: Uint8Array, leaves: number): Uint8Array[] {
    const parents: Uint8Array[] = []
    let hash = root
    for (let trees = this.#leafCount / leaves; trees % 2 === 1; trees = Math.floor(trees / 2)) {
      hash = nodeHash(this.#peaks.pop() as Uint8Array, hash)
      parents.push(hash)
    }
    this.#peaks.push(hash)
    this.#leafCount += leaves
    return parents
  }

  /** The RFC 9162 root over all leaves. */
  root(): Uint8Array {
    return bagPeaks(this.#peaks)
  }

  clone(): Mmr {
    return Mmr.#of(this.#leafCount, this.#peaks)
  }
}

/** The root that peaks (largest first) stand for. */
export function bagPeaks(peaks: readonly Uint8Array[]): Uint8Array {
  let root = peaks[peaks.length - 1]
  if (root === undefined) return EMPTY_ROOT
  for (let i = peaks.length - 2; i >= 0; i--) root = nodeHash(peaks[i] as Uint8Array, root)
  return root
}

/** How many peaks a range of so many leaves has. @throws RangeError if that is not a count */
export function peakCount(leafCount: number): number {
  assertCount(leafCount)
  let count = 0
  for (let rest = leafCount; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2
  return count
}

/** Leaves `start` … `start + 2^height − 1`. */
export interface PerfectSubtree {
  readonly start: number
  readonly height: number
}

/**
 * The perfect subtrees that make up leaves `start` … `end − 1`, from the left; `start` must be a multiple of the largest
 * power of two ≤ end − start, as every subtree of the RFC tree has it. Bagging their roots gives the range's root, so
 * proofs over the chain read O(log n) nodes (see inclusionRanges in merkle-proof.ts).
 */
export function perfectSubtrees(start: number, end: number): PerfectSubtree[] {
  assertCount(start)
  assertCount(end)
  const subtrees: PerfectSubtree[] = []
  let at = start
  let height = largestHeight(end - start)
  for (; at < end; height--) {
    const width = 2 ** height
    if (at + width > end) continue
    if (at % width !== 0) throw new RangeError(`leaves ${start} to ${end} are not a subtree`)
    subtrees.push({ start: at, height })
    at += width
  }
  return subtrees
}

function assertCount(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a count of leaves`)
}

/** The largest h with 2^h ≤ width. Counted, for log2 rounds up just below large powers. */
function largestHeight(width: number): number {
  let height = 0
  while (2 ** (height + 1) <= width) height++
  return height
}
