import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EMPTY_ROOT, leafHash, merkleRoot, nodeHash } from '../../src/chain/merkle.ts'
import { concatBytes, fromHex, toHex, u32be } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'
import { naiveRoot, RFC_INPUTS, RFC_ROOTS } from './support/naive-merkle.ts'

describe('the Merkle tree of RFC 9162', () => {
  it('has the known roots of the standard inputs', () => {
    for (let size = 0; size <= RFC_INPUTS.length; size++) {
      const leaves = RFC_INPUTS.slice(0, size).map(leafHash)
      expect(toHex(merkleRoot(leaves))).toBe(RFC_ROOTS[size])
      expect(toHex(merkleRoot(concatBytes(...leaves)))).toBe(RFC_ROOTS[size])
    }
    expect(toHex(EMPTY_ROOT)).toBe(RFC_ROOTS[0])
  })

  it('equals the recursive definition at every size, however the leaves are given', () => {
    const leaves = Array.from({ length: 300 }, (_, i) => leafHash(u32be(i)))
    for (let size = 0; size <= leaves.length; size++) {
      const some = leaves.slice(0, size)
      const expected = toHex(naiveRoot(some))
      expect(toHex(merkleRoot(some))).toBe(expected)
      expect(toHex(merkleRoot(concatBytes(...some)))).toBe(expected)
    }
  })

  it('equals the recursive definition on any data', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 60 }), (data) => {
        const leaves = data.map(leafHash)
        const before = leaves.map(toHex)
        expect(toHex(merkleRoot(leaves))).toBe(toHex(naiveRoot(leaves)))
        expect(leaves.map(toHex)).toEqual(before)
      }),
      runs(100)
    )
  })

  it('tags leaves and nodes', () => {
    const left = sha256(u32be(1))
    const right = sha256(u32be(2))
    expect(toHex(nodeHash(left, right))).toBe(toHex(sha256(concatBytes(Uint8Array.of(1), left, right))))
    expect(toHex(leafHash(left))).toBe(toHex(sha256(concatBytes(Uint8Array.of(0), left))))
  })

  it('refuses a flat list that is no list of hashes, and leaves a good one as it was', () => {
    expect(() => merkleRoot(new Uint8Array(33))).toThrow(RangeError)
    const flat = fromHex('11'.repeat(96)) as Uint8Array
    merkleRoot(flat)
    expect(toHex(flat)).toBe('11'.repeat(96))
  })
})
