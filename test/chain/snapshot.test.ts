import { beforeAll, describe, expect, test } from 'vitest'
import { TopKind } from '../../src/chain/index-top.ts'
import { leafHash } from '../../src/chain/merkle.ts'
import { inclusionProof } from '../../src/chain/merkle-proof.ts'
import { type ChunkPlan, checkChunk, maxChunkBytes } from '../../src/chain/snapshot-chunks.ts'
import {
  type CheckedManifest,
  type Checkpoint,
  checkManifest,
  MAX_MANIFEST_BYTES,
  readManifest,
  withCheckpointPath
} from '../../src/chain/snapshot-manifest.ts'
import { concatBytes, toHex } from '../../src/codec/bytes.ts'
import { type IndexTop, Manifest, type TopItem } from '../../src/codec/generated/snapshot.ts'
import { joinFinalized, splitFinalized } from '../../src/codec/raw.ts'
import { encodeEntries, makeSnapshot, someEntries, type TestSnapshot } from './support/snapshot.ts'

/** Two full chunks of block hashes and a tail of 108; an index of several chunks, one of one, one of a leaf. */
const SPEC = { height: 8300, indexes: [someEntries(30, 32), someEntries(2000, 545), someEntries(1, 8)] }
let snapshot: TestSnapshot
let checkpoint: Checkpoint
let manifest: CheckedManifest

beforeAll(async () => {
  snapshot = await makeSnapshot(SPEC)
  checkpoint = { height: 8300, hash: snapshot.blockHash }
  const result = checkManifest(snapshot.chain.genesis, snapshot.manifest, checkpoint)
  if (!result.ok) throw new Error(`${result.failure.code}: ${result.failure.message}`)
  manifest = result.manifest
})

const genesisOf = () => snapshot.chain.genesis

function codeOf(bytes: Uint8Array, at = checkpoint): string | undefined {
  const result = checkManifest(genesisOf(), bytes, at)
  return result.ok ? undefined : result.failure.code
}

/** Every byte string that is not empty, with one bit changed. */
function flip(bytes: Uint8Array, at = 0): Uint8Array<ArrayBuffer> {
  const changed = Uint8Array.from(bytes)
  changed[at] = (changed[at] as number) ^ 1
  return changed
}

describe('a manifest', () => {
  test('names all chunks, each of which is what it says', () => {
    expect(manifest.height).toBe(8300)
    expect(manifest.eventTotal).toBe(1234)
    expect(manifest.chunks.map(({ kind }) => kind).join(' ')).toMatch(/^(hashes ){3}(entries ){6,}block$/)
    expect(manifest.chunks).toHaveLength(snapshot.chunks.length)
    const entries: string[][] = [[], [], []]
    const hashes: string[] = []
    for (const [i, data] of snapshot.chunks.entries()) {
      const result = checkChunk(genesisOf(), manifest.chunks, i, data)
      if (!result.ok) throw new Error(`${i}: ${result.failure.code}: ${result.failure.message}`)
      const { content } = result
      if (content.kind === 'hashes') {
        const { range } = content
        for (let at = 0; at < range.count; at++) hashes.push(toHex(range.hash(at)))
      }
      if (content.kind === 'entries') entries[content.index]?.push(...content.entries.map(({ key }) => toHex(key)))
      if (content.kind === 'block') expect(toHex(content.block.hash)).toBe(toHex(snapshot.blockHash))
      expect(data.byteLength).toBeLessThanOrEqual(maxChunkBytes(genesisOf()))
    }
    expect(hashes).toEqual(snapshot.hashes.map(toHex))
    for (const index of [0, 1]) {
      expect(entries[index]?.sort()).toEqual(SPEC.indexes[index]?.map(({ key }) => toHex(key)).sort())
    }
    expect(manifest.tops[2].map(({ kind }) => kind)).toEqual([TopKind.LEAF])
    expect(manifest.mmr.leafCount).toBe(8300)
    expect(readManifest(genesisOf(), snapshot.manifest).ok).toBe(true)
  })

  test('has the same id with another commit or checkpoint, and another one with anything else', async () => {
    const path = inclusionProof(snapshot.hashes.map(leafHash), 17)
    const below = { height: 17, hash: snapshot.hashes[17] as Uint8Array }
    const other = checkManifest(genesisOf(), withCheckpointPath(snapshot.manifest, path), below)
    expect(other.ok && toHex(other.manifest.id)).toBe(toHex(manifest.id))
    const later = await makeSnapshot({ ...SPEC, timestamp: 1_700_000_200_000 })
    const result = readManifest(genesisOf(), later.manifest)
    expect(result.ok && toHex(result.manifest.id)).not.toBe(toHex(manifest.id))
  })

  test('of a block that is not the checkpoint, or whose chain does not go through it, is refused', () => {
    const hashes = snapshot.hashes.map(leafHash)
    const at = (height: number) => ({ height, hash: snapshot.hashes[height] as Uint8Array })
    const proven = withCheckpointPath(snapshot.manifest, inclusionProof(hashes, 4000))
    expect(codeOf(proven, at(4000))).toBeUndefined()
    expect(codeOf(proven, at(4001))).toBe('CHECKPOINT_PATH')
    expect(codeOf(proven, { height: 4000, hash: snapshot.blockHash })).toBe('CHECKPOINT_PATH')
    expect(codeOf(snapshot.manifest, at(4000))).toBe('CHECKPOINT_PATH')
    expect(codeOf(proven)).toBe('CHECKPOINT_PATH')
    expect(codeOf(snapshot.manifest, { height: 8300, hash: flip(snapshot.blockHash) })).toBe('CHECKPOINT_HASH')
    expect(codeOf(snapshot.manifest, { height: 8301, hash: snapshot.blockHash })).toBe('CHECKPOINT_ABOVE')
    expect(codeOf(withCheckpointPath(snapshot.manifest, [new Uint8Array(31)]), at(4000))).toBe('CHECKPOINT_PATH')
  })

  const items = (top: IndexTop | undefined, change: (items: TopItem[]) => TopItem[]) => ({
    items: change([...(top?.items ?? [])])
  })
  const changeItem = (kind: TopKind, change: (item: TopItem) => TopItem) => (list: TopItem[]) => {
    const at = list.findIndex((item) => item.kind === kind)
    return list.with(at, change(list[at] as TopItem))
  }
  const header = (change: (wire: Manifest) => object) => (wire: Manifest) => ({
    trusted: { ...wire.trusted, header: { ...wire.trusted?.header, ...change(wire) } }
  })

  const tampered: [what: string, change: (wire: Manifest) => object, code: string][] = [
    ['no header', () => ({ trusted: undefined }), 'MANIFEST_NON_CANONICAL'],
    ['another version', header(() => ({ version: 2 })), 'MANIFEST_HEADER'],
    ['a height between snapshots', header(() => ({ height: 8301 })), 'MANIFEST_HEIGHT'],
    ['another height', header(() => ({ height: 8200 })), 'MANIFEST_HEADER'],
    ...(
      ['parentHash', 'eventsRoot', 'mmrRoot', 'stateRoot', 'validatorsHash', 'nextValidatorsHash', 'proposer'] as const
    ).map((field): [string, (wire: Manifest) => object, string] => [
      `another ${field}`,
      header(({ trusted }) => ({ [field]: flip(trusted?.header?.[field] as Uint8Array) })),
      'MANIFEST_HEADER'
    ]),
    ['another event count', header(() => ({ eventCount: 2 })), 'MANIFEST_HEADER'],
    ['another timestamp', header(() => ({ timestamp: 1_700_000_100_001 })), 'MANIFEST_HEADER'],
    [
      'another seal',
      ({ trusted }) => ({ trusted: { ...trusted, seal: flip(trusted?.seal as Uint8Array) } }),
      'MANIFEST_HEADER'
    ],
    [
      'a signature of the commit',
      ({ trusted }) => {
        const signatures = (trusted?.commit?.signatures ?? []).map((one, i) =>
          i === 1 ? { ...one, signature: flip(one.signature) } : one
        )
        return { trusted: { ...trusted, commit: { ...trusted?.commit, signatures } } }
      },
      'MANIFEST_HEADER'
    ],
    [
      'a commit of too few',
      ({ trusted }) => {
        const signatures = (trusted?.commit?.signatures ?? []).slice(1)
        return { trusted: { ...trusted, commit: { ...trusted?.commit, signatures } } }
      },
      'MANIFEST_HEADER'
    ],
    [
      'a commit of another round',
      ({ trusted }) => ({ trusted: { ...trusted, commit: { ...trusted?.commit, round: 1 } } }),
      'MANIFEST_HEADER'
    ],
    [
      'another root after the block',
      ({ trusted }) => ({ trusted: { ...trusted, mmrRoot: flip(trusted?.mmrRoot as Uint8Array) } }),
      'MANIFEST_ROOT_AFTER'
    ],
    ['another event total', () => ({ eventTotal: 1235 }), 'MANIFEST_STATE_ROOT'],
    [
      'another subtree root',
      ({ mmrSubtreeRoots }) => ({ mmrSubtreeRoots: flip(mmrSubtreeRoots) }),
      'MANIFEST_MMR_ROOT'
    ],
    [
      'a subtree root too few',
      ({ mmrSubtreeRoots }) => ({ mmrSubtreeRoots: mmrSubtreeRoots.subarray(32) }),
      'MANIFEST_MMR_COUNT'
    ],
    [
      'half a subtree root',
      ({ mmrSubtreeRoots }) => ({ mmrSubtreeRoots: mmrSubtreeRoots.subarray(16) }),
      'MANIFEST_MMR_COUNT'
    ],
    ['another tail peak', ({ mmrTailPeaks }) => ({ mmrTailPeaks: flip(mmrTailPeaks, 40) }), 'MANIFEST_MMR_ROOT'],
    [
      'a tail peak too many',
      ({ mmrTailPeaks }) => ({ mmrTailPeaks: concatBytes(mmrTailPeaks, new Uint8Array(32)) }),
      'MANIFEST_MMR_COUNT'
    ],
    ['no tail peaks', () => ({ mmrTailPeaks: new Uint8Array(0) }), 'MANIFEST_MMR_COUNT'],
    [
      'another chunk hash',
      ({ resources }) => ({
        resources: items(
          resources,
          changeItem(TopKind.CHUNK, (item) => ({ ...item, hash: flip(item.hash) }))
        )
      }),
      'MANIFEST_STATE_ROOT'
    ],
    [
      'another count of a leaf',
      ({ actions }) => ({
        actions: items(
          actions,
          changeItem(TopKind.LEAF, (item) => ({ ...item, count: item.count + 1 }))
        )
      }),
      'MANIFEST_STATE_ROOT'
    ],
    [
      'another head of a leaf',
      ({ actions }) => ({
        actions: items(
          actions,
          changeItem(TopKind.LEAF, (item) => ({ ...item, head: flip(item.head) }))
        )
      }),
      'MANIFEST_STATE_ROOT'
    ],
    [
      'another key of a leaf',
      ({ actions }) => ({
        actions: items(
          actions,
          changeItem(TopKind.LEAF, (item) => ({ ...item, key: flip(item.key) }))
        )
      }),
      'MANIFEST_STATE_ROOT'
    ],
    ['an index that is left out', () => ({ actions: undefined }), 'MANIFEST_NON_CANONICAL'],
    ['an index with no top', () => ({ actions: { items: [] } }), 'MANIFEST_TOP'],
    [
      'indexes that have changed places',
      ({ actors, resources }) => ({ actors: resources, resources: actors }),
      'MANIFEST_STATE_ROOT'
    ],
    [
      'a subtree that is cut too far up',
      ({ resources }) => ({ resources: items(resources, (list) => list.slice(1)) }),
      'MANIFEST_TOP'
    ],
    [
      'a chunk that is cut further',
      ({ actors }) => ({
        actors: items(actors, ([chunk]) => [
          { ...(chunk as TopItem), kind: TopKind.NODE, hash: new Uint8Array(0) },
          { ...(chunk as TopItem), kind: TopKind.EMPTY, hash: new Uint8Array(0) },
          chunk as TopItem
        ])
      }),
      'MANIFEST_CUT'
    ],
    ['a path to itself', () => ({ checkpointPath: new Uint8Array(32) }), 'CHECKPOINT_PATH']
  ]

  test.each(tampered)('with %s is refused', (_, change, code) => {
    const wire = Manifest.decode(snapshot.manifest)
    expect(codeOf(Manifest.encode({ ...wire, ...change(wire) }))).toBe(code)
  })

  test('with any bit changed is refused', () => {
    for (let at = 0; at < snapshot.manifest.byteLength; at += 7)
      expect(codeOf(flip(snapshot.manifest, at)), `${at}`).toBeDefined()
  })

  test('that is too large, or has something behind it, is refused', () => {
    expect(codeOf(new Uint8Array(MAX_MANIFEST_BYTES + 1))).toBe('MANIFEST_TOO_LARGE')
    expect(codeOf(concatBytes(snapshot.manifest, Uint8Array.of(0x4a, 0)))).toBe('MANIFEST_NON_CANONICAL')
    expect(codeOf(new Uint8Array(0))).toBe('MANIFEST_NON_CANONICAL')
  })
})

describe('a chunk', () => {
  const numberOf = (kind: ChunkPlan['kind'], skip = 0) => {
    const numbers = manifest.chunks.flatMap((plan, i) => (plan.kind === kind ? [i] : []))
    return numbers[skip] as number
  }
  const code = (number: number, data: Uint8Array) => {
    const result = checkChunk(genesisOf(), manifest.chunks, number, data)
    return result.ok ? undefined : result.failure.code
  }
  const dataOf = (number: number) => snapshot.chunks[number] as Uint8Array

  test('of another number or of no number is refused', () => {
    expect(code(snapshot.chunks.length, dataOf(0))).toBe('CHUNK_NUMBER')
    expect(code(-1, dataOf(0))).toBe('CHUNK_NUMBER')
    expect(code(numberOf('hashes'), dataOf(numberOf('hashes', 1)))).toBe('CHUNK_HASHES')
    expect(code(numberOf('hashes', 2), dataOf(numberOf('hashes', 1)))).toBe('CHUNK_SIZE')
    expect(code(numberOf('entries', 1), dataOf(numberOf('entries', 2)))).toBe('CHUNK_PREFIX')
    expect(code(numberOf('block'), dataOf(numberOf('entries')))).toBe('CHUNK_BLOCK')
    expect(code(numberOf('entries'), dataOf(numberOf('block')))).toBe('CHUNK_NON_CANONICAL')
  })

  test('that is short, long or empty is refused', () => {
    for (const [i, data] of snapshot.chunks.entries()) {
      for (const wrong of [
        data.subarray(0, -1),
        concatBytes(data, Uint8Array.of(0)),
        new Uint8Array(0),
        new Uint8Array(4 << 20)
      ]) {
        expect(code(i, wrong)).toBeDefined()
      }
    }
  })

  test.each([['hashes'], ['entries'], ['block']] as const)('of %s with any bit changed is refused', (kind) => {
    const number = numberOf(kind)
    const data = dataOf(number)
    const step = kind === 'block' ? 3 : 61 * 32 + 1
    for (let at = 0; at < data.byteLength; at += step) expect(code(number, flip(data, at)), `${at}`).toBeDefined()
  })

  test('with entries that are changed, left out, doubled or in another order is refused', () => {
    const [entries] = SPEC.indexes as [ReturnType<typeof someEntries>]
    const number = numberOf('entries')
    const [first, second, ...rest] = entries as [(typeof entries)[0], (typeof entries)[0], ...typeof entries]
    expect(code(number, encodeEntries(entries))).toBeUndefined()
    expect(code(number, encodeEntries([first, ...rest]))).toBe('CHUNK_ENTRIES')
    expect(code(number, encodeEntries([first, first, second, ...rest]))).toBe('CHUNK_ORDER')
    expect(code(number, encodeEntries([second, first, ...rest]))).toBe('CHUNK_ORDER')
    expect(code(number, encodeEntries([{ ...first, count: first.count + 1 }, second, ...rest]))).toBe('CHUNK_ENTRIES')
    expect(code(number, encodeEntries([{ ...first, head: second.head }, second, ...rest]))).toBe('CHUNK_ENTRIES')
    expect(code(number, encodeEntries([first]))).toBe('CHUNK_SIZE')
  })

  test('with the right block and a wrong commit is refused, and with another commit is not', () => {
    const { block, commit } = splitFinalized(dataOf(numberOf('block')))
    expect(code(numberOf('block'), joinFinalized(block, flip(commit, commit.byteLength - 1)))).toBe('CHUNK_BLOCK')
    expect(code(numberOf('block'), joinFinalized(block, commit))).toBeUndefined()
  })
})

test('a height that fills its chunks exactly has no tail', async () => {
  const exact = await makeSnapshot({ height: 102_400, indexes: [[], [], []], eventTotal: 0 })
  const result = checkManifest(exact.chain.genesis, exact.manifest, { height: 102_400, hash: exact.blockHash })
  expect(result.ok && result.manifest.chunks.map(({ kind }) => kind)).toEqual([
    ...new Array(25).fill('hashes'),
    'block'
  ])
})
