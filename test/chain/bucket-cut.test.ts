import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BucketCutter, type CutBucket } from '../../src/chain/bucket-cut.ts'
import { BucketTrie } from '../../src/chain/bucket-trie.ts'
import { KeyRuns } from '../../src/chain/key-runs.ts'
import { compareBytes, concatBytes, toHex, u32be } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'

/** Buckets as rows: name, records and hash in hex. */
function rows(buckets: Iterable<CutBucket>): string[] {
  return [...buckets].map(({ name, records, hash }) => [name, records, hash].map(toHex).join(' ')).sort()
}

async function grown(keyHashes: readonly Uint8Array[]): Promise<string[]> {
  const trie = new BucketTrie(async (names) => names.map(() => undefined))
  const all = concatBytes(...keyHashes)
  await trie.fold(new KeyRuns(all, 0, 32, all))
  while (!trie.refresh(1e6));
  return rows(trie.takeChanges())
}

/** Key hashes that share many bits, or few. */
const keyHashes = fc
  .array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 60 }), fc.nat()), { maxLength: 120 })
  .map((list) => {
    const made = list.map(([kind, small, seed]) => {
      const hash = sha256(u32be(seed >>> 0)).slice()
      // Alike but for a few bits somewhere.
      if (kind === 0) hash.fill(0, 0, 32).set([small], 5)
      if (kind === 1) hash.set([0, 0, small])
      return hash
    })
    const unique = new Map(made.map((hash) => [toHex(hash), hash]))
    return [...unique.values()]
  })

test('an index that comes in order is cut into the buckets of one that grew', async () => {
  await fc.assert(
    fc.asyncProperty(keyHashes, fc.array(fc.integer({ min: 1, max: 40 })), async (hashes, sizes) => {
      const trie = await grown(hashes)
      const entries = [...hashes].sort(compareBytes).map((keyHash) => ({
        keyHash,
        count: 1,
        head: sha256(concatBytes(Uint8Array.of(2), new Uint8Array(32), keyHash))
      }))
      const cutter = new BucketCutter()
      const cut: CutBucket[] = []
      const rest = [...sizes]
      for (let at = 0; at < entries.length; ) {
        const size = rest.shift() ?? 17
        cut.push(...cutter.add(entries.slice(at, at + size)))
        at += size
      }
      cut.push(...cutter.end())
      expect(rows(cut)).toEqual(trie)
    }),
    runs(200)
  )
})
