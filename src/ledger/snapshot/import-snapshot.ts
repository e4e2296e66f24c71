import { rm } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BucketCutter, type CutBucket } from '../../chain/bucket-cut.ts'
import type { CheckedBlock } from '../../chain/check-block.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { TopKind } from '../../chain/index-top.ts'
import { leafHash } from '../../chain/merkle.ts'
import { Mmr } from '../../chain/mmr.ts'
import { type ChunkContent, checkChunk } from '../../chain/snapshot-chunks.ts'
import type { CheckedManifest } from '../../chain/snapshot-manifest.ts'
import { STATE_INDEXES, type StateEntry, type StateIndex } from '../../chain/state.ts'
import { equalBytes } from '../../codec/bytes.ts'
import { joinFinalized } from '../../codec/raw.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { MolochError } from '../../error.ts'
import type { WriteBatch } from '../../store/batch.ts'
import { Database } from '../../store/database.ts'
import { corrupt } from '../../store/errors.ts'
import { StateTries } from '../state.ts'
import { type Stores, storesOf } from '../stores.ts'
import { hasRow, trustedHeader } from '../trusted-header.ts'
import { commitImport, stagedFolder } from './switch-database.ts'

export interface ImportOptions {
  readonly genesis: Genesis
  readonly manifest: CheckedManifest
  /** Chunks come from a disk: they are checked again. Undefined counts as one that is damaged. */
  readonly readChunk: (number: number) => Promise<Uint8Array | undefined>
  /** The folder of the database that the import is to take the place of. It is not touched here. */
  readonly path: string
  readonly signal?: AbortSignal | undefined
  /** Called after each chunk with how many are in the new database: 1 … all, the last time when they are on disk. */
  readonly onProgress?: ((done: number) => void) | undefined
}

/** A write is some thousand rows: LevelDB holds it in memory twice. */
const BATCH_BYTES = 1 << 20

/**
 * Makes the database that a node has which synced up to the snapshot's height, but for the blocks below it, beside the
 * one at `path`; `switchDatabase` then puts it in its place. Holds a chunk and two batches. Called off or killed it leaves
 * what the next import removes.
 * @throws MolochError CHUNK_DAMAGED with `details.chunk`; STORE_FAILED; the signal's reason
 */
export async function importSnapshot(options: ImportOptions): Promise<void> {
  const { genesis, path, manifest } = options
  const staged = stagedFolder(path)
  await rm(staged, { recursive: true, force: true })
  const database = await Database.open(staged, { genesisHash: genesis.hash, create: true })
  try {
    const block = await new Import(options, storesOf(database)).run()
    if (block.height !== manifest.height) throw new TypeError(`block ${block.height} is not the snapshot's`)
  } finally {
    await database.close()
  }
  await commitImport(path)
}

class Import {
  readonly #options: ImportOptions
  readonly #stores: Stores
  readonly #mmr = new Mmr()
  #batch: WriteBatch
  /** The batch before, on its way to the disk while this one is put together. */
  #writing: Promise<void> = Promise.resolve()

  constructor(options: ImportOptions, stores: Stores) {
    this.#options = options
    this.#stores = stores
    this.#batch = stores.database.batch()
  }

  async run(): Promise<CheckedBlock> {
    try {
      const { manifest, onProgress } = this.#options
      const { chunks } = manifest
      let chunk = 0
      for (; chunks[chunk]?.kind === 'hashes'; chunk++) {
        await this.#hashes(await this.#read(chunk, 'hashes'))
        onProgress?.(chunk + 1)
      }
      for (const index of STATE_INDEXES) chunk += await this.#index(index, chunk)
      const { block } = await this.#read(chunk, 'block')
      await this.#block(block)
      await this.#write()
      await this.#writing
      onProgress?.(chunks.length)
      await this.#compare()
      return block
    } catch (error) {
      await this.#batch.discard()
      throw error
    }
  }

  async #read<Kind extends ChunkContent['kind']>(
    number: number,
    kind: Kind
  ): Promise<Extract<ChunkContent, { kind: Kind }>> {
    const { genesis, manifest, readChunk, signal } = this.#options
    await nextTurn(undefined, signal === undefined ? {} : { signal })
    const data = await readChunk(number)
    const check = data && checkChunk(genesis, manifest.chunks, number, data)
    if (check?.ok === true && check.content.kind === kind) return check.content as Extract<ChunkContent, { kind: Kind }>
    const why = check === undefined ? 'it is missing' : check.ok ? 'it is of another kind' : check.failure.message
    throw new MolochError('CHUNK_DAMAGED', `chunk ${number} of the snapshot is damaged: ${why}`, { chunk: number })
  }

  async #hashes({ start, range }: Extract<ChunkContent, { kind: 'hashes' }>): Promise<void> {
    const beyond = this.#mmr.extend(range.mmr())
    for (let at = 0; at < range.count; at++) {
      const parents = range.parents(at)
      if (at === range.count - 1) parents.push(...beyond)
      this.#stores.mmr.put(this.#batch, start + at, range.hash(at), parents)
    }
    await this.#writeIfFull()
  }

  /** @returns how many chunks the index has */
  async #index(index: StateIndex, first: number): Promise<number> {
    const { manifest, onProgress } = this.#options
    const cutter = new BucketCutter()
    let chunks = 0
    for (const { kind, key, count, head } of manifest.tops[index]) {
      if (kind === TopKind.LEAF) await this.#entries(index, cutter, [{ keyHash: sha256(key), key, count, head }])
      if (kind !== TopKind.CHUNK) continue
      const { entries } = await this.#read(first + chunks, 'entries')
      await this.#entries(index, cutter, entries)
      chunks++
      onProgress?.(first + chunks)
    }
    await this.#buckets(index, cutter.end())
    return chunks
  }

  async #entries(index: StateIndex, cutter: BucketCutter, entries: readonly StateEntry[]): Promise<void> {
    for (const { keyHash, key } of entries) this.#stores.state.putKey(this.#batch, { index, keyHash, key })
    await this.#buckets(index, cutter.add(entries))
  }

  async #buckets(index: StateIndex, buckets: Iterable<CutBucket>): Promise<void> {
    for (const bucket of buckets) this.#stores.state.putBucket(this.#batch, index, bucket)
    await this.#writeIfFull()
  }

  async #block(block: CheckedBlock): Promise<void> {
    const { blocks, headers, eventRows, meta } = this.#stores
    const { height, hash, header, eventIds, keyHashes, blockBytes, commitBytes } = block
    this.#stores.mmr.put(this.#batch, height, hash, this.#mmr.append(leafHash(hash)))
    const parts = { block: blockBytes, commit: commitBytes }
    blocks.put(this.#batch, height, hash, joinFinalized(parts.block, parts.commit))
    const trusted = trustedHeader(parts, this.#mmr.root())
    if (hasRow(trusted, parts)) headers.put(this.#batch, height, trusted)
    eventRows.put(this.#batch, { height, timestamp: header.timestamp, ids: eventIds }, keyHashes)
    meta.setTip(this.#batch, { height, hash })
    meta.setEarliest(this.#batch, height)
    meta.setStateMark(this.#batch, { height: height - 1, eventTotal: this.#options.manifest.eventTotal })
  }

  async #writeIfFull(): Promise<void> {
    if (this.#batch.bytes >= BATCH_BYTES) await this.#write()
  }

  async #write(): Promise<void> {
    const batch = this.#batch
    this.#batch = this.#stores.database.batch()
    await this.#writing
    this.#writing = this.#stores.database.write(batch)
    // Whoever waits for it hears of it.
    this.#writing.catch(() => {})
  }

  /** What was written, read again, against the header. */
  async #compare(): Promise<void> {
    const { genesis, manifest } = this.#options
    const { database, state, mmr } = this.#stores
    const { header, claimedRoot } = manifest.header
    const tries = await StateTries.open(database, state, manifest.eventTotal)
    if (!equalBytes(await tries.root(genesis.validators.hash), header.stateRoot)) {
      throw corrupt(database.path, `the state at block ${manifest.height} is not its header's`)
    }
    const before = Mmr.from(manifest.height, await mmr.peaks(manifest.height)).root()
    const after = Mmr.from(manifest.height + 1, await mmr.peaks(manifest.height + 1)).root()
    if (!equalBytes(before, header.mmrRoot) || !equalBytes(after, claimedRoot)) {
      throw corrupt(database.path, `the block hashes at block ${manifest.height} are not its header's`)
    }
  }
}
