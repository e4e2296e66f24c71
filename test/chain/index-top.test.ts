import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hasPrefix, MAX_ENTRIES_BYTES, recordsOf } from '../../src/chain/index-entries.ts'
import { type FoldedTop, foldTop, pathInTop, type TopItem, TopKind } from '../../src/chain/index-top.ts'
import { PackedEntries } from '../../src/chain/packed-entries.ts'
import type { StateEntry } from '../../src/chain/state.ts'
import { provePath, verifyPath } from '../../src/chain/trie-proof.ts'
import { toHex, utf8 } from '../../src/codec/bytes.ts'
import { IndexChunk } from '../../src/codec/generated/snapshot.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'
import { naiveTrieRoot } from './support/naive-trie.ts'
import { cut, encodeEntries, someEntries, sortEntries } from './support/snapshot.ts'

/** The definition, from all entries at once: pre-order, and the hash of each chunk. */
function naiveTop(entries: readonly StateEntry[], depth = 0): string[] {
  const [first] = entries
  if (first === undefined) return ['EMPTY']
  if (entries.length === 1) return [`LEAF ${toHex(first.key)} ${first.count} ${toHex(first.head)}`]
  if (encodeEntries(entries).byteLength <= MAX_ENTRIES_BYTES) return [`CHUNK ${toHex(naiveTrieRoot(entries, depth))}`]
  const isRight = ({ keyHash }: StateEntry) => ((keyHash[depth >> 3] as number) & (0x80 >> (depth & 7))) !== 0
  return [
    'NODE',
    ...naiveTop(
      entries.filter((entry) => !isRight(entry)),
      depth + 1
    ),
    ...naiveTop(entries.filter(isRight), depth + 1)
  ]
}

function shown({ kind, key, count, head, hash }: TopItem): string {
  if (kind === TopKind.LEAF) return `${kind} ${toHex(key)} ${count} ${toHex(head)}`
  return kind === TopKind.CHUNK ? `${kind} ${toHex(hash)}` : kind
}

/** Sizes of all kinds: few keys, a chunk that is just full, many. Keys of resources are up to 545 bytes long. */
const indexes = fc
  .tuple(
    fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 420, max: 450 }), fc.integer({ min: 800, max: 2500 })),
    fc.integer({ min: 1, max: 1000 }),
    fc.constantFrom(545, 545, 30),
    // Hashes that share their first bytes, as ground ones would.
    fc.constantFrom(0, 0, 1, 3)
  )
  .map(([count, seed, keyBytes, shared]) =>
    sortEntries(
      someEntries(count, keyBytes, seed).map((entry) => ({
        ...entry,
        keyHash: entry.keyHash.map((byte, i) => (i < shared ? 0x5a : byte))
      }))
    )
  )

test('an index is cut as the definition says, into chunks that hold it whole, and folds to its root', async () => {
  await fc.assert(
    fc.asyncProperty(indexes, async (entries) => {
      const { items, chunks } = await cut(entries)
      expect(items.map(shown)).toEqual(naiveTop(entries))
      const kept = chunks.flatMap((data) => IndexChunk.decode(data).entries.map(({ key }) => toHex(key)))
      for (const { kind, key } of items) if (kind === TopKind.LEAF) kept.push(toHex(key))
      expect(kept.sort()).toEqual(entries.map(({ key }) => toHex(key)).sort())
      for (const data of chunks) expect(data.byteLength).toBeLessThanOrEqual(MAX_ENTRIES_BYTES)
    }),
    runs(25)
  )
})

test('a top folds to the root of its index, with its chunks in order, and proves every key and the absence of others', async () => {
  for (const count of [0, 1, 2, 440, 2000]) {
    const entries = someEntries(count, 545)
    const { items, chunks } = await cut(entries)
    const { root, chunks: places } = foldTop(items) as FoldedTop
    expect(toHex(root)).toBe(toHex(naiveTrieRoot(entries)))
    expect(places).toHaveLength(chunks.length)
    const absent = Array.from({ length: 50 }, (_, i) => sha256(utf8(`absent ${i}`)))
    for (const keyHash of [...entries.slice(0, 100).map((entry) => entry.keyHash), ...absent]) {
      const { siblings, end, chunk } = pathInTop(items, keyHash)
      const expected = entries.find((entry) => toHex(entry.keyHash) === toHex(keyHash))
      if (end.kind === TopKind.CHUNK) {
        const place = places[chunk]
        expect(hasPrefix(keyHash, place?.prefix as Uint8Array, place?.depth as number)).toBe(true)
        const wire = IndexChunk.decode(chunks[chunk] as Uint8Array).entries
        const records = recordsOf(wire.map((entry) => ({ ...entry, keyHash: sha256(entry.key) })))
        const below = provePath(records, keyHash, siblings.length)
        const path = { siblings: [...siblings, ...below.siblings], leaf: below.leaf }
        const proven = verifyPath(root, keyHash, path)
        expect(proven?.count).toBe(expected?.count)
        expect(proven === null).toBe(expected === undefined)
      } else {
        const leaf = end.kind === TopKind.LEAF ? { ...end, keyHash: sha256(end.key) } : undefined
        expect(verifyPath(root, keyHash, { siblings, leaf })?.count).toBe(expected?.count)
      }
    }
  }
})

test('packed entries are encoded as the codec does it, and stay so when some are taken', () => {
  const packed = new PackedEntries()
  const entries: StateEntry[] = []
  // More than there is room for at first, and lengths about those where a varint grows.
  for (let i = 0; i < 3000; i++) {
    const key = new Uint8Array(
      [1, 75, 76, 77, 78, 127, 128, 545, 16_332, 16_333, 16_334, 16_340][i % 12] as number
    ).fill(i)
    const count = [1, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER][i % 5] as number
    const entry = { key, keyHash: sha256(key), count, head: sha256(Uint8Array.of(i)) }
    entries.push(entry)
    packed.push(key, recordsOf([entry]), 0)
    expect(packed.bytesOf(packed.count - 1)).toBe(encodeEntries([entry]).byteLength)
    if (i % 700 !== 699) continue
    expect(Buffer.compare(packed.encoded(600), encodeEntries(entries.slice(0, 600)))).toBe(0)
    expect(Buffer.compare(packed.records(600), recordsOf(entries.slice(0, 600)))).toBe(0)
    expect({ ...packed.first(), keyHash: entries[0]?.keyHash }).toEqual(entries[0])
    entries.splice(0, 600)
    packed.drop(600)
    expect(packed.count).toBe(entries.length)
  }
  expect(Buffer.compare(packed.encoded(packed.count), encodeEntries(entries))).toBe(0)
})

const NOTHING = new Uint8Array(0)
const item = (kind: TopKind, fields: Partial<TopItem> = {}): TopItem => ({
  kind,
  key: NOTHING,
  count: 0,
  head: NOTHING,
  hash: NOTHING,
  ...fields
})
const EMPTY = item(TopKind.EMPTY)
const NODE = item(TopKind.NODE)
const CHUNK = item(TopKind.CHUNK, { hash: new Uint8Array(32) })
/** A leaf on the left, and one on the right. */
const [LEFT, RIGHT] = [0, 0x80].map((bit) => {
  const entry = someEntries(20).find(({ keyHash }) => ((keyHash[0] as number) & 0x80) === bit) as StateEntry
  const { key, count, head } = entry
  return item(TopKind.LEAF, { key, count, head } as Partial<TopItem>)
}) as [TopItem, TopItem]

const faults: [what: string, items: TopItem[], code: string][] = [
  ['nothing', [], 'MANIFEST_TOP'],
  ['a node without its right half', [NODE, CHUNK], 'MANIFEST_TOP'],
  ['something behind the end', [EMPTY, EMPTY], 'MANIFEST_TOP'],
  ['an item of no kind', [item(TopKind.TOP_UNSPECIFIED)], 'MANIFEST_TOP'],
  ['a chunk with no hash', [item(TopKind.CHUNK)], 'MANIFEST_TOP'],
  ['a chunk with a key', [{ ...CHUNK, key: LEFT.key }], 'MANIFEST_TOP'],
  ['a leaf with a hash', [{ ...LEFT, hash: CHUNK.hash }], 'MANIFEST_TOP'],
  ['a leaf with no count', [{ ...LEFT, count: 0 }], 'MANIFEST_TOP'],
  ['an empty subtree with a count', [{ ...EMPTY, count: 1 }], 'MANIFEST_TOP'],
  ['a leaf on the wrong side', [NODE, RIGHT, CHUNK], 'MANIFEST_TOP'],
  ['endless nodes', [...new Array(100_000).fill(NODE), EMPTY], 'MANIFEST_TOP'],
  ['two leaves that are one chunk', [NODE, LEFT, RIGHT], 'MANIFEST_CUT'],
  ['a leaf below a node', [NODE, LEFT, EMPTY], 'MANIFEST_CUT'],
  ['a node over nothing', [NODE, EMPTY, EMPTY], 'MANIFEST_CUT'],
  ['a chunk beside nothing', [NODE, EMPTY, CHUNK], 'MANIFEST_CUT'],
  ['a chunk beside nothing, deeper', [NODE, CHUNK, NODE, CHUNK, EMPTY], 'MANIFEST_CUT']
]

test.each(faults)('%s is no top', (_, items, code) => {
  expect(foldTop(items)).toMatchObject({ code })
})
