import { HASH_BYTES } from '../chain/merkle.ts'
import { utf8 } from '../codec/bytes.ts'
import type { WriteBatch } from '../store/batch.ts'
import type { Database } from '../store/database.ts'
import { bytesKey, HEIGHT_BYTES, heightBytes, heightKey, readHeight, TABLE } from '../store/keys.ts'
import { MetaStore, type StoredTip } from '../store/meta-store.ts'
import type { Held } from './held.ts'

/** How far a light node's headers go, and where they begin. */
export interface StoredState {
  readonly tip: StoredTip
  /** Of the range over the blocks before the tip, largest first. */
  readonly peaks: readonly Uint8Array[]
  /** What somebody trusted to begin with; undefined: block 0. */
  readonly checkpoint: StoredTip | undefined
  /** Heights whose rows are there. */
  readonly held: Held
}

const PEAKS = bytesKey(TABLE.META, utf8('peaks'))
const CHECKPOINT = bytesKey(TABLE.META, utf8('checkpoint'))
const HELD = bytesKey(TABLE.META, utf8('held'))

/** TrustedHeaders by height as the bytes they came in, and the few rows that say how far they go. */
export class HeaderStore {
  readonly #database: Database
  readonly #meta: MetaStore

  constructor(database: Database) {
    this.#database = database
    this.#meta = new MetaStore(database)
  }

  put(batch: WriteBatch, height: number, trustedHeader: Uint8Array): void {
    batch.put(heightKey(TABLE.HEADER, height), trustedHeader)
  }

  remove(batch: WriteBatch, height: number): void {
    batch.del(heightKey(TABLE.HEADER, height))
  }

  get(height: number): Promise<Uint8Array | undefined> {
    return this.#database.get(heightKey(TABLE.HEADER, height))
  }

  /** Undefined: no header yet. */
  async state(): Promise<StoredState | undefined> {
    const tip = await this.#meta.tip()
    if (tip === undefined) return undefined
    const [peaks, checkpoint, held] = await Promise.all([PEAKS, CHECKPOINT, HELD].map((key) => this.#database.get(key)))
    return {
      tip,
      peaks: chunks(peaks, HASH_BYTES),
      checkpoint: checkpoint && { height: readHeight(checkpoint), hash: checkpoint.subarray(HEIGHT_BYTES) },
      held: chunks(held, 2 * HEIGHT_BYTES).map((row) => ({ from: readHeight(row), to: readHeight(row, HEIGHT_BYTES) }))
    }
  }

  /** Belongs into the batch that changes the headers. */
  setState(batch: WriteBatch, { tip, peaks, checkpoint, held }: StoredState): void {
    this.#meta.setTip(batch, tip)
    batch.put(PEAKS, Buffer.concat(peaks))
    if (checkpoint !== undefined)
      batch.put(CHECKPOINT, Buffer.concat([heightBytes(checkpoint.height), checkpoint.hash]))
    batch.put(HELD, Buffer.concat(held.flatMap(({ from, to }) => [heightBytes(from), heightBytes(to)])))
  }
}

/** Pieces of `size` bytes; a last one may be shorter, and whoever checks the row finds it. */
function chunks(row: Uint8Array | undefined, size: number): Uint8Array[] {
  const length = Math.ceil((row?.byteLength ?? 0) / size)
  return Array.from({ length }, (_, i) => (row as Uint8Array).subarray(i * size, (i + 1) * size))
}
