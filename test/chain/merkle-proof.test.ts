import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EMPTY_ROOT, leafHash, merkleRoot } from '../../src/chain/merkle.ts'
import {
  consistencyProof,
  inclusionProof,
  inclusionRanges,
  verifyConsistency,
  verifyInclusion
} from '../../src/chain/merkle-proof.ts'
import { fromHex, toHex, u32be } from '../../src/codec/bytes.ts'
import { runs } from '../support/runs.ts'
import { naiveConsistency, naivePath, naiveRoot, RFC_INPUTS, RFC_ROOTS } from './support/naive-merkle.ts'

const LEAVES = Array.from({ length: 130 }, (_, i) => leafHash(u32be(i)))
const RFC_LEAVES = RFC_INPUTS.map(leafHash)

const NODE_0 = '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'
const NODE_1 = '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7'
const NODE_23 = '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e'
const NODE_4 = 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b'
const NODE_45 = '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a'
const NODE_67 = 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0'
const NODE_4567 = '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4'
const NODE_0123 = RFC_ROOTS[4]

describe('inclusion proofs', () => {
  it('are the known ones of the standard inputs', () => {
    const known: [index: number, size: number, path: (string | undefined)[]][] = [
      [0, 1, []],
      [0, 8, [NODE_1, NODE_23, NODE_4567]],
      [5, 8, [NODE_4, NODE_67, NODE_0123]],
      [2, 3, [RFC_ROOTS[2]]],
      [1, 5, [NODE_0, NODE_23, NODE_4]]
    ]
    for (const [index, size, path] of known) {
      expect(inclusionProof(RFC_LEAVES.slice(0, size), index).map(toHex)).toEqual(path)
    }
  })

  it('equal the definition and verify, for every leaf of every small tree', () => {
    for (let size = 1; size <= 40; size++) {
      const leaves = LEAVES.slice(0, size)
      const root = naiveRoot(leaves)
      for (let index = 0; index < size; index++) {
        const path = inclusionProof(leaves, index)
        expect(path.map(toHex)).toEqual(naivePath(index, leaves).map(toHex))
        expect(verifyInclusion({ leafHash: leaves[index] as Uint8Array, index, size, path, root })).toBe(true)
      }
    }
  })

  it('do not verify once anything about them is changed', () => {
    const size = fc.integer({ min: 1, max: LEAVES.length })
    const claim = size.chain((n) => fc.tuple(fc.constant(n), fc.nat(n - 1), fc.nat(), fc.nat(255)))
    fc.assert(
      fc.property(claim, ([size, index, where, how]) => {
        const leaves = LEAVES.slice(0, size)
        const path = inclusionProof(leaves, index)
        const root = merkleRoot(leaves)
        const good = { leafHash: leaves[index] as Uint8Array, index, size, path, root }
        expect(verifyInclusion(good)).toBe(true)
        const bad = [
          { ...good, leafHash: flip(good.leafHash, where, how) },
          { ...good, root: flip(root, where, how) },
          { ...good, index: index + 1 },
          { ...good, index: index - 1 },
          { ...good, index: size },
          { ...good, path: [...path, EMPTY_ROOT] },
          { ...good, path: [EMPTY_ROOT, ...path] },
          { ...good, path: path.slice(1), ...(path.length === 0 ? { size: 0 } : {}) },
          { ...good, path: path.map((hash, i) => (i === where % path.length ? flip(hash, where, how) : hash)) },
          { ...good, path: path.map((hash) => hash.subarray(0, 31)), leafHash: good.leafHash.subarray(0, 31) }
        ]
        for (const [i, claim] of bad.entries()) {
          if (i === 8 && path.length === 0) continue
          expect(verifyInclusion(claim), `change ${i}`).toBe(false)
        }
      }),
      runs(100)
    )
  })

  it('are refused for numbers that are no counts, and do not throw', () => {
    const [leaf] = LEAVES as [Uint8Array]
    for (const index of [-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
      expect(verifyInclusion({ leafHash: leaf, index, size: 2 ** 53, path: [], root: leaf })).toBe(false)
      expect(verifyInclusion({ leafHash: leaf, index: 0, size: index, path: [], root: leaf })).toBe(false)
      expect(() => inclusionProof(LEAVES, index)).toThrow(RangeError)
    }
  })

  it('work at sizes beyond 32 bits', () => {
    const size = 2 ** 40 + 3
    expect(inclusionRanges(2 ** 40 + 1, size)).toEqual([
      { start: 2 ** 40, end: 2 ** 40 + 1 },
      { start: 2 ** 40 + 2, end: 2 ** 40 + 3 },
      { start: 0, end: 2 ** 40 }
    ])
    const [leafHash, ...path] = LEAVES.slice(0, 4) as [Uint8Array, ...Uint8Array[]]
    const [sibling, right, left] = path as [Uint8Array, Uint8Array, Uint8Array]
    const root = naiveRoot([left, naiveRoot([naiveRoot([sibling, leafHash]), right])])
    expect(verifyInclusion({ leafHash, index: 2 ** 40 + 1, size, path, root })).toBe(true)
    expect(verifyInclusion({ leafHash, index: 1, size: 3, path, root })).toBe(false)
  })
})

describe('consistency proofs', () => {
  it('are the known ones of the standard inputs', () => {
    const known: [from: number, to: number, path: (string | undefined)[]][] = [
      [1, 1, []],
      [1, 8, [NODE_1, NODE_23, NODE_4567]],
      [6, 8, [NODE_45, NODE_67, NODE_0123]],
      [2, 5, [NODE_23, NODE_4]]
    ]
    for (const [from, to, path] of known) {
      expect(consistencyProof(RFC_LEAVES.slice(0, to), from).map(toHex)).toEqual(path)
    }
  })

  it('equal the definition and verify, between all small trees', () => {
    for (let to = 0; to <= 34; to++) {
      const leaves = LEAVES.slice(0, to)
      const toRoot = naiveRoot(leaves)
      for (let from = 0; from <= to; from++) {
        const path = consistencyProof(leaves, from)
        if (from > 0) expect(path.map(toHex)).toEqual(naiveConsistency(from, leaves).map(toHex))
        const fromRoot = naiveRoot(leaves.slice(0, from))
        expect(verifyConsistency({ from, to, fromRoot, toRoot, path })).toBe(true)
      }
    }
  })

  it('do not verify once anything about them is changed', () => {
    const claim = fc
      .integer({ min: 2, max: LEAVES.length })
      .chain((to) => fc.tuple(fc.constant(to), fc.integer({ min: 1, max: to - 1 }), fc.nat(), fc.nat(255)))
    fc.assert(
      fc.property(claim, ([to, from, where, how]) => {
        const leaves = LEAVES.slice(0, to)
        const path = consistencyProof(leaves, from)
        const fromRoot = merkleRoot(leaves.slice(0, from))
        const good = { from, to, fromRoot, toRoot: merkleRoot(leaves), path }
        expect(verifyConsistency(good)).toBe(true)
        const bad = [
          { ...good, fromRoot: flip(fromRoot, where, how) },
          { ...good, toRoot: flip(good.toRoot, where, how) },
          { ...good, fromRoot: good.toRoot, toRoot: fromRoot },
          { ...good, from: to, to: from },
          { ...good, from: 0 },
          { ...good, to: from },
          { ...good, path: [...path, EMPTY_ROOT] },
          { ...good, path: path.slice(1) },
          { ...good, path: [] },
          { ...good, path: path.map((hash, i) => (i === where % path.length ? flip(hash, where, how) : hash)) }
        ]
        for (const [i, claim] of bad.entries()) expect(verifyConsistency(claim), `change ${i}`).toBe(false)
      }),
      runs(100)
    )
  })

  it('hold between a tree and itself and from the empty tree only with an empty path', () => {
    const toRoot = merkleRoot(LEAVES)
    const to = LEAVES.length
    expect(verifyConsistency({ from: to, to, fromRoot: toRoot, toRoot, path: [EMPTY_ROOT] })).toBe(false)
    expect(verifyConsistency({ from: to, to, fromRoot: EMPTY_ROOT, toRoot, path: [] })).toBe(false)
    expect(verifyConsistency({ from: 0, to, fromRoot: toRoot, toRoot, path: [] })).toBe(false)
    expect(verifyConsistency({ from: 0, to, fromRoot: EMPTY_ROOT, toRoot, path: [EMPTY_ROOT] })).toBe(false)
    expect(verifyConsistency({ from: 0, to: 0, fromRoot: EMPTY_ROOT, toRoot, path: [] })).toBe(false)
    expect(() => consistencyProof(LEAVES, to + 1)).toThrow(RangeError)
  })
})

/** A copy with one byte changed. */
function flip(bytes: Uint8Array, where: number, how: number): Uint8Array {
  const copy = bytes.slice()
  const at = where % copy.byteLength
  copy[at] = (copy[at] as number) ^ (how === 0 ? 1 : how)
  return copy
}

it('the vectors are hashes', () => {
  for (const hex of [NODE_0, NODE_1, NODE_23, NODE_4, NODE_45, NODE_67, NODE_4567])
    expect(fromHex(hex, 32)).toBeDefined()
})
