import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bucketName } from '../../src/chain/bucket-name.ts'
import { BucketTrie } from '../../src/chain/bucket-trie.ts'
import { KeyRuns } from '../../src/chain/key-runs.ts'
import { BUCKET_KEYS, subtreeHash } from '../../src/chain/trie-bucket.ts'
import { RECORD_BYTES, readEntry } from '../../src/chain/trie-record.ts'
import { compareBytes, concatBytes, toHex, u32be } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'
import { type NaiveEntry, naiveTrieRoot } from './support/naive-trie.ts'

/** Rows as a disk has them: what is handed out and taken in is copied. */
class Rows {
  readonly buckets = new Map<string, Uint8Array>()
  readonly hashes = new Map<string, Uint8Array>()
  reads = 0

  read = async (names: readonly Uint8Array[]) => {
    this.reads += names.length
    return names.map((name) => this.buckets.get(toHex(name))?.slice())
  }

  flush(trie: BucketTrie): void {
    while (!trie.refresh(7));
    for (const name of trie.takeSplit()) {
      expect(this.buckets.delete(toHex(name))).toBe(true)
      this.hashes.delete(toHex(name))
    }
    for (const { name, records, hash } of trie.takeChanges()) {
      this.buckets.set(toHex(name), records.slice())
      this.hashes.set(toHex(name), hash)
    }
  }

  open(): BucketTrie {
    const trie = new BucketTrie(this.read)
    for (const [name, hash] of this.hashes) trie.restore(new Uint8Array(Buffer.from(name, 'hex')), hash)
    return trie
  }
}

class Model {
  readonly entries = new Map<string, NaiveEntry>()

  fold(keyHash: Uint8Array, id: Uint8Array): void {
    const old = this.entries.get(toHex(keyHash)) ?? { count: 0, head: new Uint8Array(32) }
    const head = sha256(concatBytes(Uint8Array.of(2), old.head, id))
    this.entries.set(toHex(keyHash), { keyHash, count: old.count + 1, head })
  }

  root(): string {
    return toHex(naiveTrieRoot([...this.entries.values()]))
  }
}

/** @returns the numbers of events that are the first of their keys, ascending */
async function foldAll(trie: BucketTrie, keys: readonly Uint8Array[], ids: readonly Uint8Array[]): Promise<number[]> {
  const runs = new KeyRuns(concatBytes(...keys), 0, 32, concatBytes(...ids.slice(0, keys.length)))
  return (await trie.fold(runs)).sort((a, b) => a - b)
}

function rootOf(trie: BucketTrie): string {
  while (!trie.refresh(5));
  return toHex(trie.root())
}

/** Few distinct keys, so that they meet again; some share long prefixes, as ground ones would. */
const keyHash = fc
  .tuple(fc.constantFrom(0, 0, 0, 1, 2, 30), fc.constantFrom(0x00, 0x80, 0xff), fc.integer({ min: 0, max: 60 }))
  .map(([same, byte, number]) => sha256(u32be(number)).map((value, i) => (i < same ? byte : value)))
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ what: fc.constant('fold' as const), keys: fc.array(keyHash, { maxLength: 30 }) })
  },
  fc.record({ what: fc.constantFrom('flush' as const, 'open' as const, 'trim' as const, 'root' as const) })
)

test('has the root of the definition and every value, whatever is written, forgotten and opened in between', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const rows = new Rows()
      const model = new Model()
      let trie = rows.open()
      let id = 0
      for (const step of steps) {
        if (step.what === 'fold') {
          const ids = step.keys.map(() => sha256(u32be(id++)))
          const news = step.keys.flatMap((key, i) => {
            const fresh = !model.entries.has(toHex(key))
            model.fold(key, ids[i] as Uint8Array)
            return fresh ? [i] : []
          })
          expect(await foldAll(trie, step.keys, ids)).toEqual(news)
        } else if (step.what === 'root') expect(rootOf(trie)).toBe(model.root())
        else {
          rows.flush(trie)
          if (step.what === 'open') trie = rows.open()
          if (step.what === 'trim') trie.trim(0)
          if (step.what === 'trim') expect(trie.loaded).toBe(0)
        }
      }
      expect(rootOf(trie)).toBe(model.root())
      for (const { keyHash, count, head } of model.entries.values()) {
        expect(await trie.get(keyHash)).toEqual({ count, head: new Uint8Array(head) })
      }
      expect(await trie.get(sha256(u32be(1000)))).toBeUndefined()
      rows.flush(trie)
      expectRows(rows, model)
      expect(rootOf(rows.open())).toBe(model.root())
    }),
    runs(60)
  )
})

/** The rows are a function of the state: maximal subtrees of few keys, in order, each with its hash. */
function expectRows({ buckets, hashes }: Rows, model: Model): void {
  const sorted = [...model.entries.values()].sort((a, b) => compareBytes(a.keyHash, b.keyHash))
  const stored = [...buckets].sort(([a], [b]) => (a < b ? -1 : 1))
  expect(toHex(concatBytes(...stored.map(([, records]) => records))).length).toBe(sorted.length * RECORD_BYTES * 2)
  let at = 0
  for (const [hex, records] of stored) {
    const name = new Uint8Array(Buffer.from(hex, 'hex'))
    const depth = name[name.byteLength - 1] as number
    for (let i = 0; i < records.byteLength; i += RECORD_BYTES, at++) {
      const { keyHash, count } = sorted[at] as NaiveEntry
      expect(toHex(records.subarray(i, i + 32))).toBe(toHex(keyHash))
      expect(readEntry(records, i).count).toBe(count)
      expect(toHex(bucketName(records, i, depth))).toBe(hex)
    }
    expect(toHex(hashes.get(hex) as Uint8Array)).toBe(toHex(subtreeHash(records, depth)))
    if (depth === 0) continue
    const above = toHex(bucketName(records, 0, depth - 1))
    const within = sorted.filter(({ keyHash }) => toHex(bucketName(keyHash, 0, depth - 1)) === above)
    expect(within.length).toBeGreaterThan(BUCKET_KEYS)
  }
}

test('reads a bucket once, and nothing for what is in memory', async () => {
  const rows = new Rows()
  const keys = Array.from({ length: 500 }, (_, i) => sha256(u32be(i)))
  let trie = rows.open()
  await foldAll(trie, keys, keys)
  expect(rows.reads).toBe(0)
  rows.flush(trie)
  trie = rows.open()
  await foldAll(trie, keys.slice(0, 20), keys)
  const reads = rows.reads
  expect(reads).toBeGreaterThan(10)
  expect(reads).toBeLessThanOrEqual(20)
  await foldAll(trie, keys.slice(0, 20), keys)
  expect(rows.reads).toBe(reads)
  expect(trie.changed).toBe(reads)
})

test('what changed is kept until it is written; of the rest what was asked for last', async () => {
  const rows = new Rows()
  const keys = Array.from({ length: 400 }, (_, i) => sha256(u32be(i)))
  const trie = rows.open()
  await foldAll(trie, keys, keys)
  const all = trie.loaded
  trie.trim(0)
  expect(trie.loaded).toBe(all)
  rows.flush(trie)
  trie.trim(all)
  expect(trie.loaded).toBe(all)
  trie.trim(all - 1)
  expect(trie.loaded).toBe(0)
  await foldAll(trie, keys.slice(0, 30), keys)
  rows.flush(trie)
  const few = trie.loaded
  trie.trim(few - 1)
  await foldAll(trie, keys.slice(100, 110), keys)
  expect(trie.loaded).toBeLessThanOrEqual(10)
})

test('refuses rows that are no trie, and says which row is missing', async () => {
  const rows = new Rows()
  const hash = new Uint8Array(32)
  const trie = rows.open()
  trie.restore(Uint8Array.of(0x80, 1), hash)
  expect(() => trie.restore(Uint8Array.of(0x80, 1), hash)).toThrow('holds another')
  expect(() => trie.restore(Uint8Array.of(0x80, 2), hash)).toThrow('lies in another')
  expect(() => trie.restore(Uint8Array.of(0), hash)).toThrow('holds another')
  expect(() => trie.restore(Uint8Array.of(0x80, 9), hash)).toThrow('not a bucket')
  expect(() => trie.restore(Uint8Array.of(0x80, 2), hash.subarray(1))).toThrow('not a bucket')
  const key = new Uint8Array(32).fill(0xff)
  await expect(trie.get(key)).rejects.toThrow('bucket 8001 of an index is missing')
  await expect(trie.fold(new KeyRuns(key, 0, 32, key))).rejects.toThrow('bucket 8001 of an index is missing')
})
