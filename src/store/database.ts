import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { toHex } from '../codec/bytes.ts'
import { messageOf } from '../error.ts'
import { WriteBatch } from './batch.ts'
import { corrupt, openError, readError, storeError, tellsOfDamage } from './errors.ts'
import { type Contents, MetaStore } from './meta-store.ts'
import { migrate } from './migrate.ts'
import { Overlay } from './overlay.ts'

/** Of the rows in this database. A version that changes their meaning raises it and brings a migration. */
export const STORE_FORMAT = 3

/**
 * LevelDB's memory is outside of the JavaScript heap, and all of it counts against a node's resident set:
 * two write buffers (one filling, one being written out), the cache of uncompressed blocks, and the table files it
 * keeps mapped (maxOpenFiles of maxFileSize each, resident as far as they were read lately).
 */
const LEVEL_SETTINGS = {
  // Bulk writes of a full sync are 20–30 MB/s: a smaller buffer means more files at level 0 and more merging. A larger
  // one is replayed for longer after a crash.
  writeBufferSize: 8 << 20,
  // For indexes and state. Whole blocks of the chain are read around it (see BlockStore.range).
  cacheSize: 8 << 20,
  // 64 files (LevelDB takes no less) of 1 MiB: at most 64 MiB mapped, however large the chain. In smaller files a change
  // of some rows here and there also has less around it to merge.
  maxOpenFiles: 64,
  maxFileSize: 1 << 20,
  // Ids and signatures do not compress, names and metadata of events do: a third less on disk and less to merge.
  compression: true
} as const

/**
 * Called before each write with the number of its operations; what it throws fails the write, what it returns the write
 * waits for. For tests of faults and slow disks.
 */
export type BeforeWrite = (operations: number) => void | Promise<void>

export interface DatabaseOptions {
  readonly genesisHash: Uint8Array
  /** Make the database if there is none. */
  readonly create: boolean
  /** What it must hold; default blocks. */
  readonly contents?: Contents
  readonly beforeWrite?: BeforeWrite | undefined
  /** Nothing in its folder is changed, which may be on a disk that cannot be written to; what is written is gone when it closes. */
  readonly readOnly?: boolean
}

/** Bounds of a range of keys, and how to walk it. */
export interface RowRange {
  readonly gte?: Uint8Array
  readonly lte?: Uint8Array
  readonly lt?: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
  /** Rows are read ahead up to this many bytes; default 64 KiB. */
  readonly readAheadBytes?: number
  /** Whether blocks that are read stay in the cache; default true. */
  readonly fillCache?: boolean
  /** The database as it was then; default: as it is now. */
  readonly view?: View | undefined
}

export type Row = readonly [key: Uint8Array, value: Uint8Array]

const HELD: Readonly<Record<Contents, string>> = {
  blocks: "a full node's blocks",
  headers: "a light node's headers"
}

type Level = ClassicLevel<Uint8Array, Uint8Array>
/** The database as it was at a moment: later writes don't show. Whoever takes one closes it. */
export type View = ReturnType<Level['snapshot']>
type ClassicIterator = ReturnType<Level['iterator']>

/** Upper bound of rows that one read brings, whatever their size. */
const READ_AHEAD_ROWS = 256
const READ_AHEAD_BYTES = 64 << 10
/** See `release`. Less is not worth a read. */
const RELEASED_BYTES = 16 << 10
/** Above every key. */
const LAST_KEY = new Uint8Array(64).fill(0xff)

/** The one LevelDB of a node. Every write is an atomic batch that is on disk when its promise resolves. */
export class Database {
  readonly path: string
  readonly #level: Level
  readonly #overlay: Overlay | undefined
  readonly #beforeWrite: BeforeWrite | undefined
  /** The last write: each waits for the one before, for two writes in LevelDB's threads may change places. */
  #lastWrite: Promise<void> = Promise.resolve()
  #failed: unknown

  private constructor(path: string, level: Level, overlay: Overlay | undefined, options: DatabaseOptions) {
    this.path = path
    this.#level = level
    this.#overlay = overlay
    this.#beforeWrite = options.beforeWrite
  }

  /**
   * Opens the database in folder `path` and checks that it is of this genesis and format.
   * @throws MolochError with a StoreErrorCode
   */
  static async open(path: string, options: DatabaseOptions): Promise<Database> {
    // LevelDB would leave a folder with a lock and a log behind even if told not to create.
    if (!options.create && !existsSync(join(path, 'CURRENT'))) {
      throw storeError('STORE_MISSING', `there is no chain in ${path}: start the node once, or name another home`, {
        path
      })
    }
    const overlay = options.readOnly ? await overlayOf(path) : undefined
    const at = overlay?.path ?? path
    const level: Level = new ClassicLevel(at, { keyEncoding: 'view', valueEncoding: 'view', ...LEVEL_SETTINGS })
    const database = new Database(path, level, overlay, options)
    try {
      await level.open().catch((error: unknown) => {
        throw openError(path, error)
      })
      await database.#checkIdentity(options.genesisHash, options.contents ?? 'blocks')
      return database
    } catch (error) {
      await database.close()
      throw error
    }
  }

  async #checkIdentity(genesisHash: Uint8Array, contents: Contents): Promise<void> {
    const meta = new MetaStore(this)
    const identity = await meta.identity()
    if (identity === undefined) {
      // Empty: new, or its maker was killed before the first batch. With rows but no identity it is not ours to fill.
      for await (const _ of this.rows({ limit: 1 })) throw corrupt(this.path, 'it does not say which chain it is of')
      const batch = this.batch()
      meta.setIdentity(batch, { format: STORE_FORMAT, genesisHash, contents })
      return this.write(batch)
    }
    if (identity.format === 1 || identity.format === 2) await migrate(this, identity)
    else if (identity.format !== STORE_FORMAT) {
      throw storeError(
        'STORE_FORMAT',
        `the database in ${this.path} has format ${identity.format}; this version reads format ${STORE_FORMAT}`,
        { path: this.path, format: identity.format }
      )
    }
    const found = toHex(identity.genesisHash)
    const wanted = toHex(genesisHash)
    if (found !== wanted) {
      throw storeError(
        'STORE_OTHER_CHAIN',
        `the database in ${this.path} is of genesis ${found}, not of ${wanted}: use that genesis, or another home`,
        { path: this.path, found, wanted }
      )
    }
    if (identity.contents !== contents) {
      throw storeError(
        'STORE_OTHER_MODE',
        `the database in ${this.path} holds ${HELD[identity.contents]}, not ${HELD[contents]}: use that mode, or another home`,
        { path: this.path, found: identity.contents, wanted: contents }
      )
    }
  }

  /** @throws MolochError STORE_CORRUPT; STORE_FAILED if the system would not read */
  async get(key: Uint8Array, view?: View): Promise<Uint8Array | undefined> {
    try {
      const value = await this.#level.get(key, view ? { snapshot: view } : {})
      return value && plain(value)
    } catch (error) {
      throw this.#readError(error)
    }
  }

  /** Many rows in one turn of LevelDB's threads; undefined where there is none. @throws as `get` */
  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    try {
      return (await this.#level.getMany([...keys])).map((value) => value && plain(value))
    } catch (error) {
      throw this.#readError(error)
    }
  }

  /** Takes a view of the database as it is now. */
  view(): View {
    return this.#level.snapshot()
  }

  /** The rows of a range as they are now (or in the view); later writes don't show. */
  async *rows(range: RowRange): AsyncGenerator<Row> {
    const { readAheadBytes = READ_AHEAD_BYTES, view, ...bounds } = range
    const options = { ...bounds, highWaterMarkBytes: readAheadBytes, ...(view && { snapshot: view }) }
    const iterator = this.#level.iterator(options)
    let bytes = 0
    try {
      for (;;) {
        const rows = await iterator.nextv(READ_AHEAD_ROWS)
        if (rows.length === 0) return
        bytes = rows.reduce((sum, [key, value]) => sum + key.byteLength + value.byteLength, 0)
        for (const [key, value] of rows) yield [key, plain(value)]
      }
    } catch (error) {
      throw this.#readError(error)
    } finally {
      if (bytes > RELEASED_BYTES) await release(iterator)
      await iterator.close()
    }
  }

  async first(range: RowRange): Promise<Row | undefined> {
    for await (const row of this.rows({ ...range, limit: 1 })) return row
    return undefined
  }

  batch(): WriteBatch {
    return new WriteBatch(this.#level.batch())
  }

  /**
   * Writes the batch, all or nothing, after the writes before it; on disk when this resolves.
   * @throws MolochError STORE_FAILED, or STORE_CORRUPT; every later write then fails as well
   */
  write(batch: WriteBatch): Promise<void> {
    const write = this.#lastWrite.then(() => this.#write(batch))
    this.#lastWrite = write.catch(() => {})
    return write
  }

  /**
   * Resolves when the writes so far are on disk.
   * @throws MolochError STORE_FAILED
   */
  async idle(): Promise<void> {
    await this.#lastWrite
    if (this.#failed !== undefined) throw this.#writeError(this.#failed)
  }

  async #write(batch: WriteBatch): Promise<void> {
    try {
      if (this.#failed !== undefined) throw this.#failed
      await this.#beforeWrite?.(batch.operations)
      await batch.commit()
    } catch (error) {
      this.#failed ??= error
      await batch.discard()
      throw this.#writeError(error)
    }
  }

  #writeError(cause: unknown): Error {
    // It merges tables in the background, and a write hears of one that it could not read.
    if (tellsOfDamage(cause)) return corrupt(this.path, messageOf(cause), cause)
    const message = `a write to the database in ${this.path} failed: ${messageOf(cause)}; see to the disk and start again`
    return storeError('STORE_FAILED', message, { path: this.path }, cause)
  }

  /** Closes after the writes that are under way. */
  async close(): Promise<void> {
    await this.#lastWrite
    await this.#level.close()
    await this.#overlay?.remove()
  }

  #readError(error: unknown): unknown {
    return readError(this.path, error)
  }
}

/** @throws MolochError STORE_FAILED */
async function overlayOf(path: string): Promise<Overlay> {
  try {
    return await Overlay.over(path)
  } catch (error) {
    throw openError(path, error)
  }
}

/**
 * An iterator keeps the rows of its last read outside of the JavaScript heap, also when it is closed, until it is
 * collected; and the collector sees no reason to, for it does not know of them: a node that served blocks grew by 8 kB
 * with each. The next read, here of nothing, frees them.
 */
async function release(iterator: ClassicIterator): Promise<void> {
  try {
    iterator.seek(LAST_KEY)
    await iterator.nextv(1)
  } catch {
    // What is wrong with the database the next reader is told.
  }
}

/** LevelDB gives Buffers, whose `slice` is no copy: nobody above should have to know. */
function plain(value: Uint8Array): Uint8Array {
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
}
