import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leafHash } from '../../src/chain/merkle.ts'
import { consistencyProof, consistencyRanges, inclusionProof, inclusionRanges } from '../../src/chain/merkle-proof.ts'
import { bagPeaks, Mmr, peakCount, perfectSubtrees } from '../../src/chain/mmr.ts'
import { toHex, u32be } from '../../src/codec/bytes.ts'
import { runs } from '../support/runs.ts'
import { naiveRoot } from './support/naive-merkle.ts'

const LEAVES = Array.from({ length: 300 }, (_, i) => leafHash(u32be(i)))

/** Roots by the subtree that they are of. */
class Nodes {
  readonly #roots = new Map<string, Uint8Array>()

  /** @param parents that leaf `index` completed */
  add(index: number, leaf: Uint8Array, parents: readonly Uint8Array[]): void {
    for (const [height, root] of [leaf, ...parents].entries())
      this.#roots.set(`${index + 1 - 2 ** height} ${height}`, root)
  }

  /** Of the perfect subtrees that make up leaves `start` … `end − 1`. */
  roots(start: number, end: number): (Uint8Array | undefined)[] {
    return perfectSubtrees(start, end).map((subtree) => this.#roots.get(`${subtree.start} ${subtree.height}`))
  }

  root(range: { start: number; end: number }): string {
    return toHex(bagPeaks(this.roots(range.start, range.end) as Uint8Array[]))
  }

  get count(): number {
    return this.#roots.size
  }
}

/** A range of the first `count` leaves and all its nodes. */
function grow(count: number): { mmr: Mmr; nodes: Nodes } {
  const mmr = new Mmr()
  const nodes = new Nodes()
  for (const [index, leaf] of LEAVES.slice(0, count).entries()) nodes.add(index, leaf, mmr.append(leaf))
  return { mmr, nodes }
}

describe('the mountain range', () => {
  it('has the RFC root at every size, as many nodes as it should, its peaks among them, and restarts from them', () => {
    const mmr = new Mmr()
    const nodes = new Nodes()
    for (let size = 0; size <= LEAVES.length; size++) {
      expect(mmr.leafCount).toBe(size)
      expect(toHex(mmr.root())).toBe(toHex(naiveRoot(LEAVES.slice(0, size))))
      expect(nodes.count).toBe(2 * size - peakCount(size))
      expect(mmr.peaks).toEqual(nodes.roots(0, size))
      const again = Mmr.from(size, nodes.roots(0, size) as Uint8Array[])
      expect(toHex(again.root())).toBe(toHex(mmr.root()))
      const leaf = LEAVES[size]
      if (leaf === undefined) break
      const parents = mmr.append(leaf)
      expect(again.append(leaf)).toEqual(parents)
      nodes.add(size, leaf, parents)
    }
  })

  it('holds every subtree root that proofs need', () => {
    const sizes = fc.integer({ min: 1, max: LEAVES.length })
    fc.assert(
      fc.property(
        sizes.chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1), fc.nat(size))),
        ([size, index, from]) => {
          const { nodes } = grow(size)
          const leaves = LEAVES.slice(0, size)
          const read = (range: { start: number; end: number }) => nodes.root(range)
          expect(inclusionRanges(index, size).map(read)).toEqual(inclusionProof(leaves, index).map(toHex))
          expect(consistencyRanges(from, size).map(read)).toEqual(consistencyProof(leaves, from).map(toHex))
        }
      ),
      runs(50)
    )
  })

  it('clones apart', () => {
    const { mmr } = grow(5)
    const clone = mmr.clone()
    clone.append(LEAVES[5] as Uint8Array)
    expect([mmr.leafCount, clone.leafCount]).toEqual([5, 6])
    expect(toHex(mmr.root())).toBe(toHex(naiveRoot(LEAVES.slice(0, 5))))
    mmr.peaks.pop()
    expect(mmr.peaks.length).toBe(2)
  })

  it('counts exactly beyond 32 bits and refuses what is no count', () => {
    expect([0, 1, 7, 8, 2 ** 40, 2 ** 48 - 1].map(peakCount)).toEqual([0, 1, 3, 1, 1, 48])
    expect(perfectSubtrees(2 ** 40, 2 ** 40 + 8)).toEqual([{ start: 2 ** 40, height: 3 }])
    for (const count of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => peakCount(count)).toThrow(RangeError)
    expect(() => Mmr.from(3, LEAVES.slice(0, 1))).toThrow(/2 peaks, not 1/)
    expect(() => perfectSubtrees(1, 4)).toThrow(RangeError)
  })
})

describe('extended by a range of its own', () => {
  it('a range is the one that the leaves make, and the last leaf completes the same parents', () => {
    // A multiple of 2^level leaves before, and up to 2^level behind: all cuts at which each peak fits.
    const cuts = fc
      .nat(6)
      .chain((level) => fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 2 ** level }), fc.constant(level)))
    fc.assert(
      fc.property(cuts, ([before, behind, level]) => {
        const at = before * 2 ** level
        const { mmr } = grow(at)
        const part = new Mmr()
        const own = LEAVES.slice(at, at + behind).map((leaf) => part.append(leaf))
        const parents = mmr.extend(part)
        const { mmr: whole } = grow(at + behind - 1)
        expect([...(own.at(-1) ?? []), ...parents]).toEqual(whole.append(LEAVES[at + behind - 1] as Uint8Array))
        expect(mmr.peaks).toEqual(whole.peaks)
        expect(mmr.leafCount).toBe(at + behind)
      }),
      runs(300)
    )
  })

  it('it takes none of which a peak does not fit', () => {
    const { mmr } = grow(3)
    expect(() => mmr.extend(grow(2).mmr)).toThrow('a peak of 2 leaves after 3')
  })
})
