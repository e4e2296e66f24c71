import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IndexTrie } from '../../src/chain/trie.ts'
import { concatBytes, toHex, u32be } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'
import { type NaiveEntry, naiveTrieRoot } from './support/naive-trie.ts'

const ZERO = '00'.repeat(32)

/** Hashes that share long prefixes now and then, as ground ones would: a few leading bytes from a small choice. */
const keyHash = fc
  .tuple(
    fc.integer({ min: 0, max: 32 }),
    fc.constantFrom(0x00, 0x80, 0xff),
    fc.uint8Array({ minLength: 32, maxLength: 32 })
  )
  .map(([same, byte, random]) => random.map((value, i) => (i < same ? byte : value)))
const head = fc.uint8Array({ minLength: 32, maxLength: 32 })
const count = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(2 ** 32, 2 ** 53 - 1))

describe('the index trie', () => {
  it('has the root of the definition after any sets, hashed at any moments', () => {
    const step = fc.record({ keyHash, count, head, hash: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const trie = new IndexTrie()
        const model = new Map<string, NaiveEntry>()
        for (const { keyHash, count, head, hash } of steps) {
          trie.set(keyHash, { count, head })
          model.set(toHex(keyHash), { keyHash, count, head })
          if (hash) expect(toHex(trie.root())).toBe(toHex(naiveTrieRoot([...model.values()])))
        }
        expect(trie.size).toBe(model.size)
        expect(toHex(trie.root())).toBe(toHex(naiveTrieRoot([...model.values()])))
        for (const { keyHash, count, head } of model.values()) expect(trie.get(keyHash)).toEqual({ count, head })
      }),
      runs(150)
    )
  })

  it('does not depend on the order of sets', () => {
    const entries = fc.uniqueArray(fc.record({ keyHash, count, head }), {
      selector: (e) => toHex(e.keyHash),
      maxLength: 40
    })
    fc.assert(
      fc.property(
        entries.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([one, other]) => {
          const roots = [one, other].map((list) => {
            const trie = new IndexTrie()
            for (const { keyHash, ...entry } of list) trie.set(keyHash, entry)
            return toHex(trie.root())
          })
          expect(roots[0]).toBe(roots[1])
        }
      ),
      runs(50)
    )
  })

  it('has the roots of protocol §6 for no key, one and two', () => {
    const trie = new IndexTrie()
    expect(toHex(trie.root())).toBe(ZERO)
    const low = Uint8Array.of(...new Array(31).fill(0), 1)
    const high = low.map((byte, i) => (i === 31 ? 3 : byte))
    const h = sha256(u32be(7))
    const leafOf = (key: Uint8Array, n: number) =>
      sha256(concatBytes(Uint8Array.of(0), key, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, n), h))
    trie.set(low, { count: 1, head: h })
    expect(toHex(trie.root())).toBe(toHex(leafOf(low, 1)))
    trie.set(high, { count: 2, head: h })
    // 254 bits are shared: 254 nodes with an empty right side above the one that parts them.
    const zero = new Uint8Array(32)
    let expected = sha256(concatBytes(Uint8Array.of(1), leafOf(low, 1), leafOf(high, 2)))
    for (let i = 0; i < 254; i++) expected = sha256(concatBytes(Uint8Array.of(1), expected, zero))
    expect(toHex(trie.root())).toBe(toHex(expected))
  })

  it('grows past a page and agrees with the definition', () => {
    const trie = new IndexTrie()
    const model: NaiveEntry[] = []
    for (let i = 0; i < 3000; i++) {
      const entry = { keyHash: sha256(u32be(i)), count: i, head: sha256(u32be(i + 1)) }
      model.push(entry)
      trie.set(entry.keyHash, entry)
    }
    expect(toHex(trie.root())).toBe(toHex(naiveTrieRoot(model)))
    expect(trie.get(sha256(u32be(3000)))).toBeUndefined()
    expect(trie.bytes).toBeLessThan(3000 * 300)
  })

  it('counts with carries in fold', () => {
    const trie = new IndexTrie()
    const key = sha256(u32be(1))
    const id = sha256(u32be(2))
    for (const before of [0, 254, 255, 256, 65535, 2 ** 32 - 1, 2 ** 40 - 1]) {
      trie.set(key, { count: before, head: id })
      trie.fold(key, 0, id, 0)
      expect(trie.get(key)).toEqual({
        count: before + 1,
        head: new Uint8Array(sha256(concatBytes(Uint8Array.of(2), id, id)))
      })
    }
  })

  it('refuses fields of the wrong form', () => {
    const trie = new IndexTrie()
    const good = new Uint8Array(32)
    expect(() => trie.set(new Uint8Array(31), { count: 1, head: good })).toThrow(RangeError)
    expect(() => trie.set(good, { count: 1, head: new Uint8Array(33) })).toThrow(RangeError)
    for (const bad of [-1, 0.5, 2 ** 53]) expect(() => trie.set(good, { count: bad, head: good })).toThrow(RangeError)
    expect(trie.size).toBe(0)
  })
})
