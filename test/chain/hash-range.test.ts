import fc from 'fast-check'
import { expect, it } from 'vitest'
import { HashRange } from '../../src/chain/hash-range.ts'
import { leafHash } from '../../src/chain/merkle.ts'
import { Mmr } from '../../src/chain/mmr.ts'
import { concatBytes, u32be } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'

const HASHES = Array.from({ length: 300 }, (_, i) => sha256(u32be(i)))

it('has the peaks and the parents that a range has to which its leaves are added one by one', () => {
  fc.assert(
    fc.property(fc.nat(HASHES.length), (count) => {
      const range = new HashRange(concatBytes(...HASHES.slice(0, count)))
      const mmr = new Mmr()
      expect(range.count).toBe(count)
      for (const [at, hash] of HASHES.slice(0, count).entries()) {
        expect(range.hash(at)).toEqual(hash)
        expect(range.parents(at)).toEqual(mmr.append(leafHash(hash)))
      }
      expect(range.peaks).toEqual(mmr.peaks)
      expect(range.mmr().root()).toEqual(mmr.root())
    }),
    { ...runs(60), examples: [[0], [1], [255], [256]] }
  )
})

it('refuses what is no list of hashes', () => {
  expect(() => new HashRange(new Uint8Array(33))).toThrow('33 bytes are not a list of hashes')
})
