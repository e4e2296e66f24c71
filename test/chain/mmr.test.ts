import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leafHash } from '../../src/chain/merkle.ts'
import { consistencyProof, consistencyRanges, inclusionProof, inclusionRanges } from '../../src/chain/merkle-proof.ts'
import {
  bagPeaks,
  leafPosition,
  Mmr,
  mmrSize,
  nodePosition,
  peakPositions,
  rangePositions
} from '../../src/chain/mmr.ts'
import { toHex, u32be } from '../../src/codec/bytes.ts'
import { runs } from '../support/runs.ts'
import { naiveRoot } from './support/naive-merkle.ts'

const LEAVES = Array.from({ length: 300 }, (_, i) => leafHash(u32be(i)))

/** A range of the first `count` leaves and all its nodes by position. */
function grow(count: number): { mmr: Mmr; nodes: Uint8Array[] } {
  const mmr = new Mmr()
  const nodes: Uint8Array[] = []
  for (const leaf of LEAVES.slice(0, count)) {
    for (const { position, hash } of mmr.append(leaf)) {
      expect(position).toBe(nodes.length)
      nodes.push(hash)
    }
  }
  return { mmr, nodes }
}

describe('the mountain range', () => {
  it('has the RFC root at every size, its peaks where they should be, and restarts from them', () => {
    const mmr = new Mmr()
    const nodes: Uint8Array[] = []
    for (let size = 0; size <= LEAVES.length; size++) {
      expect(mmr.leafCount).toBe(size)
      expect(toHex(mmr.root())).toBe(toHex(naiveRoot(LEAVES.slice(0, size))))
      expect(nodes.length).toBe(mmrSize(size))
      expect(mmr.peaks).toEqual(peakPositions(size).map((position) => nodes[position]))
      const again = Mmr.from(
        size,
        peakPositions(size).map((position) => nodes[position] as Uint8Array)
      )
      expect(toHex(again.root())).toBe(toHex(mmr.root()))
      const leaf = LEAVES[size]
      if (leaf === undefined) break
      const added = mmr.append(leaf)
      expect(again.append(leaf)).toEqual(added)
      for (const { position, hash } of added) {
        expect(position).toBe(nodes.length)
        nodes.push(hash)
      }
    }
  })

  it('numbers nodes in post-order', () => {
    expect(Array.from({ length: 8 }, (_, i) => leafPosition(i))).toEqual([0, 1, 3, 4, 7, 8, 10, 11])
    expect([nodePosition(0, 1), nodePosition(2, 1), nodePosition(0, 2), nodePosition(4, 2)]).toEqual([2, 5, 6, 13])
    expect([peakPositions(0), peakPositions(1), peakPositions(7), peakPositions(8)]).toEqual([
      [],
      [0],
      [6, 9, 10],
      [14]
    ])
  })

  it('holds every subtree root that proofs need', () => {
    const sizes = fc.integer({ min: 1, max: LEAVES.length })
    fc.assert(
      fc.property(
        sizes.chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1), fc.nat(size))),
        ([size, index, from]) => {
          const { nodes } = grow(size)
          const leaves = LEAVES.slice(0, size)
          const read = ({ start, end }: { start: number; end: number }) =>
            toHex(bagPeaks(rangePositions(start, end).map((position) => nodes[position] as Uint8Array)))
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
    expect(mmrSize(2 ** 40)).toBe(2 ** 41 - 1)
    expect(nodePosition(2 ** 40, 3)).toBe(leafPosition(2 ** 40 + 7) + 3)
    expect(peakPositions(2 ** 48 - 1).length).toBe(48)
    for (const count of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => mmrSize(count)).toThrow(RangeError)
    expect(() => Mmr.from(3, LEAVES.slice(0, 1))).toThrow(/2 peaks, not 1/)
    expect(() => rangePositions(1, 4)).toThrow(RangeError)
  })
})

describe('extended by a range of its own', () => {
  it('a range is the one that the leaves make, and has the same last nodes', () => {
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
        const whole = grow(at + behind)
        expect(mmr.peaks).toEqual(whole.mmr.peaks)
        expect(mmr.leafCount).toBe(at + behind)
        const last = [...(own.at(-1) ?? []).map(({ hash }) => hash), ...parents.map(({ hash }) => hash)]
        expect(last).toEqual(whole.nodes.slice(-last.length))
        for (const { position, hash } of parents) expect(hash).toEqual(whole.nodes[position])
      }),
      runs(300)
    )
  })

  it('it takes none of which a peak does not fit', () => {
    const { mmr } = grow(3)
    expect(() => mmr.extend(grow(2).mmr)).toThrow('a peak of 2 leaves after 3')
  })
})
