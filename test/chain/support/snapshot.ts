/** Snapshots of chains that never were: random hashes of blocks and random entries, under a header that is signed for real. */

import { stateRootHash } from '../../../src/chain/domain.ts'
import { cutIndex } from '../../../src/chain/index-cut.ts'
import { recordsOf } from '../../../src/chain/index-entries.ts'
import type { TopItem } from '../../../src/chain/index-top.ts'
import { leafHash } from '../../../src/chain/merkle.ts'
import { Mmr } from '../../../src/chain/mmr.ts'
import type { PackedEntries } from '../../../src/chain/packed-entries.ts'
import { encodeManifest } from '../../../src/chain/snapshot-manifest.ts'
import type { StateEntry } from '../../../src/chain/state.ts'
import { compareBytes, concatBytes, u32be, utf8 } from '../../../src/codec/bytes.ts'
import { IndexChunk, type IndexEntry as WireEntry } from '../../../src/codec/generated/snapshot.ts'
import { joinTrustedHeader, splitBlock, splitFinalized } from '../../../src/codec/raw.ts'
import { sha256 } from '../../../src/crypto/sha256.ts'
import { finalize, type TestChain, testBlock, testChain, testEvent } from '../fixture.ts'
import { naiveTrieRoot } from './naive-trie.ts'

export interface TestSnapshot {
  readonly chain: TestChain
  readonly height: number
  readonly blockHash: Uint8Array
  /** Hashes of blocks 0 … H−1. */
  readonly hashes: readonly Uint8Array[]
  readonly indexes: readonly (readonly StateEntry[])[]
  readonly stateRoot: Uint8Array
  readonly manifest: Uint8Array
  readonly chunks: readonly Uint8Array[]
}

/** Entries of keys that are `keyBytes` long, in the order of their hashes. */
export function someEntries(count: number, keyBytes = 20, seed = 0): StateEntry[] {
  const entries = Array.from({ length: count }, (_, i) => {
    const key = utf8(`${seed}/${i}`.padEnd(keyBytes, '.'))
    return { key, keyHash: sha256(key), count: 1 + (i % 300), head: sha256(u32be(i)) }
  })
  return sortEntries(entries)
}

/** The encoded IndexChunk of entries, by the codec. */
export function encodeEntries(entries: readonly Omit<StateEntry, 'keyHash'>[]): Uint8Array<ArrayBuffer> {
  return IndexChunk.encode({ entries: entries.map(({ key, count, head }) => ({ key, count, head }) as WireEntry) })
}

export function sortEntries(entries: readonly StateEntry[]): StateEntry[] {
  return [...entries].sort((a, b) => compareBytes(a.keyHash, b.keyHash))
}

export interface CutIndex {
  readonly items: TopItem[]
  readonly chunks: Uint8Array[]
}

export async function cut(entries: readonly StateEntry[]): Promise<CutIndex> {
  const rest = entries.values()
  const more = async (into: PackedEntries): Promise<boolean> => {
    const { value } = rest.next()
    if (value !== undefined) into.push(value.key, recordsOf([value]), 0)
    return value !== undefined
  }
  const items: TopItem[] = []
  const chunks: Uint8Array[] = []
  for await (const { item, data } of cutIndex(more)) {
    items.push(item)
    // A copy: it is good until the next item is asked for.
    if (data !== undefined) chunks.push(data.slice())
  }
  return { items, chunks }
}

export interface SnapshotSpec {
  /** A multiple of 100. */
  readonly height: number
  readonly indexes: readonly (readonly StateEntry[])[]
  readonly eventTotal?: number
  /** For a snapshot of another block at the height. */
  readonly timestamp?: number
}

export async function makeSnapshot(spec: SnapshotSpec): Promise<TestSnapshot> {
  const { height, indexes, eventTotal = 1234, timestamp = 1_700_000_100_000 } = spec
  const base = testChain(4)
  const hashes = Array.from({ length: height }, (_, i) => sha256(concatBytes(utf8('block'), u32be(i))))
  const mmr = new Mmr()
  for (const hash of hashes) mmr.append(leafHash(hash))
  const [actors, resources, actions] = indexes.map((entries) => naiveTrieRoot(entries)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array
  ]
  const { validators } = base.genesis
  const stateRoot = stateRootHash(eventTotal, validators.hash, actors, resources, actions)
  const parentHash = hashes[height - 1] as Uint8Array
  const next = { height, parentHash, mmrRoot: mmr.root(), stateRoot, parentTimestamp: timestamp - 1 }
  const chain = { ...base, next }
  const block = testBlock(chain, { header: { timestamp }, events: [testEvent(base, 1).bytes] })
  const finalized = finalize(chain, block)
  const after = mmr.clone()
  after.append(leafHash(block.hash))
  const { block: blockBytes, commit } = splitFinalized(finalized)
  const { header, seal } = splitBlock(blockBytes)
  const full = Math.floor(height / 4096)
  const rangeOf = (list: readonly Uint8Array[]): Mmr => {
    const range = new Mmr()
    for (const hash of list) range.append(leafHash(hash))
    return range
  }
  const parts = Array.from({ length: full }, (_, i) => hashes.slice(i * 4096, (i + 1) * 4096))
  const tail = hashes.slice(full * 4096)
  const tops = await Promise.all(indexes.map((entries) => cut(entries)))
  const manifest = encodeManifest({
    trusted: joinTrustedHeader({ header, seal, commit, mmrRoot: after.root() }),
    eventTotal,
    subtreeRoots: parts.map((part) => rangeOf(part).root()),
    tailPeaks: rangeOf(tail).peaks,
    tops: tops.map(({ items }) => items) as never
  })
  const chunks = [
    ...parts.map((part) => concatBytes(...part)),
    ...(tail.length > 0 ? [concatBytes(...tail)] : []),
    ...tops.flatMap(({ chunks }) => chunks),
    finalized
  ]
  return { chain, height, blockHash: block.hash, hashes, indexes, stateRoot, manifest, chunks }
}
