import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stateRootHash } from '../../src/chain/domain.ts'
import { recordsOf } from '../../src/chain/index-entries.ts'
import { type KeyProof, provePath, type TriePath, verifyKey, verifyPath } from '../../src/chain/trie-proof.ts'
import { compareBytes, toHex, u32be } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'
import { type NaiveEntry, naiveTrieRoot } from './support/naive-trie.ts'

const keyHash = fc
  .tuple(fc.constantFrom(0, 0, 1, 31), fc.integer({ min: 0, max: 50 }))
  .map(([same, number]) => sha256(u32be(number)).map((value, i) => (i < same ? 0x3c : value)))
const entries = fc
  .uniqueArray(fc.record({ keyHash, count: fc.integer({ min: 1, max: 9 }) }), {
    selector: (entry) => toHex(entry.keyHash),
    maxLength: 40
  })
  .map((list) =>
    list
      .map((entry): NaiveEntry => ({ ...entry, head: sha256(entry.keyHash) }))
      .sort((a, b) => compareBytes(a.keyHash, b.keyHash))
  )

test('a path proves what the index says of any key', () => {
  fc.assert(
    fc.property(entries, keyHash, (list, asked) => {
      const root = naiveTrieRoot(list)
      const records = recordsOf(list)
      for (const key of [asked, ...list.map((entry) => entry.keyHash)]) {
        const found = list.find((entry) => toHex(entry.keyHash) === toHex(key))
        const proven = verifyPath(root, key, provePath(records, key))
        if (found === undefined) expect(proven).toBeNull()
        else expect(proven).toEqual({ count: found.count, head: new Uint8Array(found.head) })
      }
    }),
    runs(80)
  )
})

test('no change of a path proves anything, nor does the path of another key', () => {
  fc.assert(
    fc.property(entries, keyHash, fc.nat(), fc.integer({ min: 1, max: 255 }), (list, asked, at, change) => {
      const root = naiveTrieRoot(list)
      const path = provePath(recordsOf(list), asked)
      const { siblings, leaf } = path
      const flip = (bytes: Uint8Array) => bytes.map((byte, i) => (i === at % bytes.byteLength ? byte ^ change : byte))
      const changed: TriePath[] = [
        { siblings: [...siblings, new Uint8Array(32)], leaf },
        { siblings: new Array(300).fill(new Uint8Array(32)), leaf },
        ...siblings.map((_, i) => ({ siblings: siblings.map((hash, j) => (i === j ? flip(hash) : hash)), leaf })),
        ...(siblings.length > 0
          ? [
              { siblings: siblings.map((hash) => hash.subarray(1)), leaf },
              { siblings: siblings.slice(1), leaf },
              { siblings: siblings.slice(0, -1), leaf }
            ]
          : [])
      ]
      if (leaf !== undefined) {
        changed.push(
          { siblings, leaf: undefined },
          { siblings, leaf: { ...leaf, count: leaf.count + 1 } },
          { siblings, leaf: { ...leaf, count: 0 } },
          { siblings, leaf: { ...leaf, count: 1.5 } },
          { siblings, leaf: { ...leaf, head: flip(leaf.head) } },
          { siblings, leaf: { ...leaf, head: leaf.head.subarray(1) } },
          { siblings, leaf: { ...leaf, keyHash: flip(leaf.keyHash) } }
        )
      } else changed.push({ siblings, leaf: { keyHash: asked, count: 1, head: root } })
      for (const one of changed) expect(verifyPath(root, asked, one)).toBeUndefined()
      const first = siblings.length > 0 ? asked.map((byte, i) => (i === 0 ? byte ^ 0x80 : byte)) : undefined
      if (first !== undefined && toHex(siblings[0] as Uint8Array) !== toHex(root)) {
        const other = verifyPath(root, first, path)
        expect(other).toBeUndefined()
      }
      expect(verifyPath(root, asked.subarray(1), path)).toBeUndefined()
    }),
    runs(80)
  )
})

test('a key is proven under a header’s state root, in its index alone', () => {
  const list: NaiveEntry[] = [1, 2, 3].map((n) => ({ keyHash: sha256(u32be(n)), count: n, head: sha256(u32be(n)) }))
  list.sort((a, b) => compareBytes(a.keyHash, b.keyHash))
  const roots = [sha256(u32be(10)), naiveTrieRoot(list), sha256(u32be(12))] as const
  const validatorsHash = sha256(u32be(99))
  const header = { validatorsHash, stateRoot: stateRootHash(77, validatorsHash, ...roots) }
  const key = sha256(u32be(2))
  const proof: KeyProof = {
    ...provePath(recordsOf(list), key),
    index: 1,
    eventTotal: 77,
    otherRoots: [roots[0], roots[2]]
  }
  expect(verifyKey(header, key, proof)).toMatchObject({ count: 2 })
  const none = sha256(u32be(50))
  expect(verifyKey(header, none, { ...proof, ...provePath(recordsOf(list), none) })).toBeNull()
  const wrong: Partial<Record<keyof KeyProof, unknown>>[] = [
    { index: 0 },
    { index: 3 },
    { eventTotal: 76 },
    { eventTotal: -1 },
    { eventTotal: 0.5 },
    { otherRoots: [roots[2], roots[0]] },
    { otherRoots: [roots[0]] },
    { otherRoots: [roots[0], new Uint8Array(31)] },
    { siblings: [] }
  ]
  for (const change of wrong) expect(verifyKey(header, key, { ...proof, ...change } as KeyProof)).toBeUndefined()
})
