import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Genesis } from '../../chain/genesis.ts'
import { recordsOf } from '../../chain/index-entries.ts'
import { pathInTop, TopKind } from '../../chain/index-top.ts'
import { checkChunk } from '../../chain/snapshot-chunks.ts'
import { type CheckedManifest, readManifest, withCheckpointPath } from '../../chain/snapshot-manifest.ts'
import type { StateIndex } from '../../chain/state.ts'
import { type KeyProof, provePath, type TriePath } from '../../chain/trie-proof.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { hasCode, MolochError, messageOf } from '../../error.ts'
import type { Log } from '../../log.ts'
import { storeError } from '../../store/errors.ts'
import { SnapshotFile, SnapshotWriter } from '../../store/snapshot-file.ts'
import type { Stores } from '../stores.ts'
import { buildSnapshot, snapshotHeight } from './build-snapshot.ts'

export interface SnapshotSettings {
  /** `HOME/data/snapshots`. */
  readonly folder: string
  /** The newest that are kept, at least 1: a client that downloads one has until so many newer ones are built. */
  readonly keep: number
}

export interface SnapshotsOptions extends SnapshotSettings {
  readonly genesis: Genesis
  readonly log: Log
  readonly stores: Stores
  /** Height. */
  readonly tip: () => number
}

/** A snapshot that is on disk. */
export interface HeldSnapshot {
  readonly file: SnapshotFile
  /** Not checked against any checkpoint: it is our own. */
  readonly manifest: CheckedManifest
}

const FILE = /^([1-9]\d{0,14})\.snapshot$/
/** A build takes at most this part of the time: one that took a second is followed by nine without. */
const BUSY_SHARE = 0.1
/** A build that failed is tried again after this: somebody may have made room on the disk meanwhile. */
const FAILED_REST_MS = 3_600_000
/** Peers may ask many times for what the disk does not give: the log has one line in this time. */
const UNREAD_LOG_MS = 60_000

/** The snapshots of a ledger: files that are built beside its commits, the newest few of them kept. */
export class Snapshots {
  readonly #options: SnapshotsOptions
  /** By height. */
  readonly #held = new Map<number, HeldSnapshot>()
  readonly #closing = new AbortController()
  #building: Promise<number | undefined> | undefined
  #restUntil = 0
  #unreadLoggedAt = Number.NEGATIVE_INFINITY

  private constructor(options: SnapshotsOptions) {
    this.#options = options
  }

  /** Finds the files that are there; what is not whole, or not of this chain, is removed. What can't be read is kept. */
  static async open(options: SnapshotsOptions): Promise<Snapshots> {
    const snapshots = new Snapshots(options)
    await mkdir(options.folder, { recursive: true })
    for (const name of await readdir(options.folder)) await snapshots.#find(name)
    await snapshots.#removeOld()
    return snapshots
  }

  /** Newest first. */
  get heights(): number[] {
    return [...this.#held.keys()].sort((a, b) => b - a)
  }

  /** @param height 0: the newest */
  held(height: number): HeldSnapshot | undefined {
    return this.#held.get(height === 0 ? (this.heights[0] ?? 0) : height)
  }

  /**
   * Builds a snapshot of the state that is on disk, unless there is one or that is not the state of a snapshot's height.
   * Commits go on. Calls while one is being built wait for that one.
   * @returns the height of the snapshot, built now or before; undefined: there can be none of this state
   * @throws MolochError STORE_CORRUPT; Error if the disk is full
   */
  build(): Promise<number | undefined> {
    this.#building ??= this.#build().finally(() => {
      this.#building = undefined
    })
    return this.#building
  }

  /** For the ledger, when no block has come for a moment: builds if it is time. Never throws. */
  idle(): void {
    if (this.#building !== undefined || performance.now() < this.#restUntil || this.#closing.signal.aborted) return
    this.build().catch((error: unknown) => {
      this.#restUntil = performance.now() + FAILED_REST_MS
      const message = `no snapshot could be built: ${messageOf(error)}; it is not tried again for an hour`
      if (!this.#closing.signal.aborted) this.#options.log.error({ err: error }, message)
    })
  }

  /**
   * The encoded Manifest of a snapshot.
   * @param height 0: the newest
   * @param checkpointHeight of a block that the reader trusts, not above it; default: the snapshot's own
   * @returns undefined: it is not held, or the checkpoint is above it
   */
  async readManifest(height: number, checkpointHeight?: number): Promise<Uint8Array | undefined> {
    const held = this.held(height)
    if (held === undefined) return undefined
    const size = held.manifest.height
    const checkpoint = checkpointHeight ?? size
    if (!Number.isSafeInteger(checkpoint) || checkpoint < 0 || checkpoint > size) return undefined
    if (checkpoint === size) return held.file.manifest
    return withCheckpointPath(held.file.manifest, await this.#options.stores.mmr.inclusionPath(checkpoint, size))
  }

  /**
   * Chunk `number` of a snapshot; undefined: there is none, or the snapshot is not held (any longer).
   * @throws MolochError NOT_READY if the disk does not give it now. The snapshot is still offered: what has failed may
   * work in a moment (no descriptors left) or be of this chunk alone (a bad sector), and whoever is refused so blames
   * nobody, asks others first, and then here again.
   */
  async readChunk(height: number, number: number): Promise<Uint8Array | undefined> {
    const held = this.held(height)
    if (held === undefined) return undefined
    try {
      return await held.file.read(number)
    } catch (error) {
      // Removed while it was asked for.
      if (this.#held.get(held.manifest.height) !== held) return undefined
      if (hasCode(error, 'STORE_FAILED')) throw this.#unread(held, number, error)
      if (!servesNobody(error)) throw error
      this.#options.log.error({ path: held.file.path }, messageOf(error))
      await this.#remove(held.manifest.height)
      return undefined
    }
  }

  /** What peers are told has no path in it. */
  #unread({ manifest: { height }, file: { path } }: HeldSnapshot, chunk: number, cause: MolochError): MolochError {
    const now = performance.now()
    if (now - this.#unreadLoggedAt >= UNREAD_LOG_MS) {
      this.#unreadLoggedAt = now
      this.#options.log.error({ path, chunk, err: cause }, `${cause.message}; who asks is told to ask again`)
    }
    return new MolochError(
      'NOT_READY',
      `chunk ${chunk} of the snapshot of block ${height} can't be read now`,
      {},
      { cause }
    )
  }

  /** What the state of a snapshot says of a key, with its proof under header `height`; undefined: it is not held. */
  async keyProof(height: number, index: StateIndex, key: Uint8Array): Promise<KeyProof | undefined> {
    const held = this.held(height)
    const path = held && (await this.#path(held, index, sha256(key)))
    if (held === undefined || path === undefined) return undefined
    const { eventTotal, indexRoots } = held.manifest
    const [first, second] = indexRoots.filter((_, i) => i !== index) as [Uint8Array, Uint8Array]
    return { ...path, index, eventTotal, otherRoots: [first, second] }
  }

  async #path({ manifest }: HeldSnapshot, index: StateIndex, keyHash: Uint8Array): Promise<TriePath | undefined> {
    const { siblings, end, chunk } = pathInTop(manifest.tops[index], keyHash)
    if (end.kind === TopKind.EMPTY) return { siblings, leaf: undefined }
    if (end.kind === TopKind.LEAF) {
      return { siblings, leaf: { keyHash: sha256(end.key), count: end.count, head: end.head } }
    }
    const first = manifest.chunks.findIndex((plan) => plan.kind === 'entries' && plan.index === index)
    const data = await this.readChunk(manifest.height, first + chunk)
    const checked = data && checkChunk(this.#options.genesis, manifest.chunks, first + chunk, data)
    if (checked?.ok !== true || checked.content.kind !== 'entries') return undefined
    const below = provePath(recordsOf(checked.content.entries), keyHash, siblings.length)
    return { siblings: [...siblings, ...below.siblings], leaf: below.leaf }
  }

  /** Stops a build that is under way. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#building?.catch(() => {})
  }

  async #build(): Promise<number | undefined> {
    const { genesis, stores, tip, log } = this.#options
    const { signal } = this.#closing
    const started = performance.now()
    const view = stores.database.view()
    try {
      const mark = await stores.meta.stateMark(view)
      const height = snapshotHeight(genesis, mark, tip())
      if (height === undefined || this.#held.has(height)) return height
      const path = this.#pathOf(height)
      const writer = await SnapshotWriter.create(path)
      let bytes: number
      try {
        const { eventTotal } = mark
        const manifest = await buildSnapshot({ genesis, stores, view, eventTotal, signal }, height, writer)
        bytes = await writer.finish(manifest)
      } catch (error) {
        await writer.discard()
        throw error
      }
      await this.#hold(height, path)
      await this.#removeOld()
      const seconds = (performance.now() - started) / 1000
      this.#restUntil = performance.now() + (1000 * seconds * (1 - BUSY_SHARE)) / BUSY_SHARE
      log.info({ height, bytes, seconds: Number(seconds.toFixed(2)) }, 'snapshot built')
      return height
    } finally {
      await view.close()
    }
  }

  async #find(name: string): Promise<void> {
    const [, height] = FILE.exec(name) ?? []
    const { folder, log } = this.#options
    if (height === undefined) {
      // Of a build that was killed.
      if (name.endsWith('.part')) await rm(join(folder, name), { force: true })
      return
    }
    try {
      await this.#hold(Number(height), join(folder, name))
    } catch (error) {
      const path = join(folder, name)
      if (servesNobody(error)) {
        log.warn({ path }, `${messageOf(error)}; removed`)
        await rm(path, { force: true })
      } else if (hasCode(error, 'STORE_FAILED')) {
        log.error({ path, err: error }, `${error.message} and start again; until then it is not served`)
      } else throw error
    }
  }

  async #hold(height: number, path: string): Promise<void> {
    const file = await SnapshotFile.open(path)
    const result = readManifest(this.#options.genesis, file.manifest)
    const none = (what: string): Error => storeError('SNAPSHOT_DAMAGED', `the snapshot ${path} ${what}`, { path })
    if (!result.ok) throw none(`is none: ${result.failure.code}: ${result.failure.message}`)
    const { manifest } = result
    if (manifest.height !== height || manifest.chunks.length !== file.chunks) {
      throw none(`is of height ${manifest.height} and has ${file.chunks} chunks`)
    }
    this.#held.set(height, { file, manifest })
  }

  async #removeOld(): Promise<void> {
    for (const height of this.heights.slice(this.#options.keep)) await this.#remove(height)
  }

  async #remove(height: number): Promise<void> {
    this.#held.delete(height)
    await rm(this.#pathOf(height), { force: true })
  }

  #pathOf(height: number): string {
    return join(this.#options.folder, `${height}.snapshot`)
  }
}

/** Of what is not there, or is not what it was, nothing can be read whatever the disk does. */
function servesNobody(error: unknown): boolean {
  return hasCode(error, 'SNAPSHOT_MISSING') || hasCode(error, 'SNAPSHOT_DAMAGED')
}
