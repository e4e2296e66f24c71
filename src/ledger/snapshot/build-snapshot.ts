import { setImmediate as nextTurn } from 'node:timers/promises'
import { blockHash } from '../../chain/domain.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { HashRange } from '../../chain/hash-range.ts'
import { cutIndex } from '../../chain/index-cut.ts'
import type { TopItem } from '../../chain/index-top.ts'
import { leafHash } from '../../chain/merkle.ts'
import { Mmr } from '../../chain/mmr.ts'
import type { PackedEntries } from '../../chain/packed-entries.ts'
import { HASHES_A_CHUNK } from '../../chain/snapshot-chunks.ts'
import { encodeManifest, readManifest } from '../../chain/snapshot-manifest.ts'
import { carriesState, STATE_INDEXES, type StateIndex } from '../../chain/state.ts'
import { compareKeyHash, RECORD_BYTES } from '../../chain/trie-record.ts'
import { concatBytes } from '../../codec/bytes.ts'
import { Header } from '../../codec/generated/chain.ts'
import { joinTrustedHeader, splitBlock, splitFinalized } from '../../codec/raw.ts'
import type { View } from '../../store/database.ts'
import { corrupt } from '../../store/errors.ts'
import type { StoredStateMark } from '../../store/meta-store.ts'
import type { SnapshotWriter } from '../../store/snapshot-file.ts'
import type { BucketRow, KeyRow } from '../../store/state-store.ts'
import type { Stores } from '../stores.ts'

/** The height of the snapshot that can be built of a state on disk; undefined: of this one none. */
export function snapshotHeight(genesis: Genesis, mark: StoredStateMark, tip: number): number | undefined {
  const height = mark.height + 1
  return height > 1 && height <= tip && carriesState(genesis.params, height) ? height : undefined
}

export interface SnapshotSource {
  readonly genesis: Genesis
  readonly stores: Stores
  /** The database with the state as of block H − 1; block H may have come later. */
  readonly view: View
  readonly eventTotal: number
  readonly signal: AbortSignal
}

/**
 * Writes the chunks of the snapshot at `height` and returns its manifest. Holds a chunk and some rows, and gives way to
 * the event loop after each chunk.
 * @throws MolochError STORE_CORRUPT if what is on disk does not fold to what the header says
 */
export async function buildSnapshot(
  source: SnapshotSource,
  height: number,
  writer: SnapshotWriter
): Promise<Uint8Array> {
  const { genesis, stores, eventTotal, signal } = source
  const append = async (chunk: Uint8Array): Promise<void> => {
    await writer.append(chunk)
    await nextTurn(undefined, { signal })
  }
  const { subtreeRoots, tailPeaks } = await writeHashes(stores, height, append)
  const tops: TopItem[][] = []
  for (const index of STATE_INDEXES) {
    const items: TopItem[] = []
    const reader = new EntryReader(stores, index, source.view)
    try {
      for await (const { item, data } of cutIndex((into) => reader.more(into))) {
        items.push(item)
        if (data !== undefined) await append(data)
      }
    } finally {
      await reader.close()
    }
    tops.push(items)
  }
  const finalized = await stores.blocks.get(height)
  if (finalized === undefined) throw corrupt(stores.database.path, `block ${height} is missing`)
  await append(finalized)
  const trusted = trustedHeader(genesis, finalized, subtreeRoots, tailPeaks)
  const manifest = encodeManifest({
    trusted,
    eventTotal,
    subtreeRoots,
    tailPeaks,
    tops: tops as unknown as Record<StateIndex, TopItem[]>
  })
  const check = readManifest(genesis, manifest)
  if (check.ok) return manifest
  throw corrupt(stores.database.path, `snapshot ${height}: ${check.failure.code}: ${check.failure.message}`)
}

interface HashesWritten {
  readonly subtreeRoots: readonly Uint8Array[]
  /** Of the range over the hashes after the last full chunk. */
  readonly tailPeaks: readonly Uint8Array[]
}

async function writeHashes(
  { mmr, database }: Stores,
  height: number,
  append: (chunk: Uint8Array) => Promise<void>
): Promise<HashesWritten> {
  const subtreeRoots: Uint8Array[] = []
  let hashes: Uint8Array[] = []
  let count = 0
  for await (const hash of mmr.blockHashes(0, height - 1)) {
    hashes.push(hash)
    count++
    if (hashes.length < HASHES_A_CHUNK) continue
    const { data, peaks } = chunkOf(hashes)
    await append(data)
    subtreeRoots.push(...peaks)
    hashes = []
  }
  if (count !== height) throw corrupt(database.path, `there are ${count} block hashes below block ${height}`)
  const { data, peaks } = chunkOf(hashes)
  if (hashes.length > 0) await append(data)
  return { subtreeRoots, tailPeaks: peaks }
}

function chunkOf(hashes: readonly Uint8Array[]): { readonly data: Uint8Array; readonly peaks: readonly Uint8Array[] } {
  const data = concatBytes(...hashes)
  return { data, peaks: new HashRange(data).peaks }
}

/** Buckets and raw keys lie in the same order: they are read side by side. */
class EntryReader {
  readonly #wrong: () => Error
  readonly #buckets: AsyncGenerator<BucketRow>
  readonly #keys: AsyncGenerator<KeyRow>

  constructor({ state, database }: Stores, index: StateIndex, view: View) {
    this.#wrong = () => corrupt(database.path, `the keys of index ${index} are not those of its entries`)
    this.#buckets = state.allBuckets(index, view)
    this.#keys = state.allKeys(index, view)
  }

  /** Adds the entries of the next bucket; false: that was the last. */
  async more(into: PackedEntries): Promise<boolean> {
    const { value: bucket } = await this.#buckets.next()
    if (bucket === undefined) return false
    const { records } = bucket as BucketRow
    for (let at = 0; at < records.byteLength; at += RECORD_BYTES) {
      const { value: row } = await this.#keys.next()
      if (row === undefined || compareKeyHash(records, at, row.keyHash, 0) !== 0) throw this.#wrong()
      into.push(row.key, records, at)
    }
    return true
  }

  async close(): Promise<void> {
    await this.#buckets.return(undefined)
    await this.#keys.return(undefined)
  }
}

function trustedHeader(
  genesis: Genesis,
  finalized: Uint8Array,
  subtreeRoots: readonly Uint8Array[],
  tailPeaks: readonly Uint8Array[]
): Uint8Array {
  const { block, commit } = splitFinalized(finalized)
  const { header, seal } = splitBlock(block)
  const decoded = Header.decode(header)
  const full = new Mmr()
  for (const root of subtreeRoots) full.append(root)
  const after = Mmr.from(decoded.height, [...full.peaks, ...tailPeaks])
  after.append(leafHash(blockHash(genesis.hash, decoded)))
  return joinTrustedHeader({ header, seal, commit, mmrRoot: after.root() })
}
