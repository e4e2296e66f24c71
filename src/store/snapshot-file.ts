import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { equalBytes, utf8 } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'
import { MolochError, messageOf } from '../error.ts'
import { isAbsent, storeError } from './errors.ts'
import { HEIGHT_BYTES, heightBytes, readHeight, view } from './keys.ts'

/**
 * A snapshot as one file, which can be copied to another machine: the chunks one after another, then a footer with the
 * manifest and each chunk's length and SHA-256, then the footer's own place and SHA-256. It has its name only when all of
 * it is on disk.
 *
 *     magic ‖ chunks ‖ footer ‖ footer's start u48 ‖ SHA-256(footer)
 *     footer = manifest length u32 ‖ manifest ‖ (length u32 ‖ SHA-256) for each chunk
 */

const MAGIC = utf8('moloch/snapshot-file/v1\n')
const HASH_BYTES = 32
const ENTRY_BYTES = 4 + HASH_BYTES
const TRAILER_BYTES = HEIGHT_BYTES + HASH_BYTES
/** A manifest and a table of 50 000 chunks are less; a damaged length must not fill memory. */
const MAX_FOOTER_BYTES = 4 << 20

interface ChunkRow {
  readonly offset: number
  readonly length: number
  readonly hash: Uint8Array
}

/** Writes a file beside its place; `finish` puts it there. */
export class SnapshotWriter {
  readonly #path: string
  readonly #file: FileHandle
  readonly #rows: ChunkRow[] = []
  #offset = MAGIC.byteLength

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  static async create(path: string): Promise<SnapshotWriter> {
    const file = await open(draftOf(path), 'w')
    const writer = new SnapshotWriter(path, file)
    try {
      await file.write(MAGIC, 0, MAGIC.byteLength, 0)
      return writer
    } catch (error) {
      await writer.discard()
      throw error
    }
  }

  async append(chunk: Uint8Array): Promise<void> {
    await this.#write(chunk)
    this.#rows.push({ offset: this.#offset, length: chunk.byteLength, hash: sha256(chunk) })
    this.#offset += chunk.byteLength
  }

  /** @returns the file's length in bytes */
  async finish(manifest: Uint8Array): Promise<number> {
    const footer = Buffer.alloc(4 + manifest.byteLength + ENTRY_BYTES * this.#rows.length)
    footer.writeUInt32BE(manifest.byteLength)
    footer.set(manifest, 4)
    for (const [i, { length, hash }] of this.#rows.entries()) {
      const at = 4 + manifest.byteLength + ENTRY_BYTES * i
      footer.writeUInt32BE(length, at)
      footer.set(hash, at + 4)
    }
    const end = Buffer.concat([footer, heightBytes(this.#offset), sha256(footer)])
    await this.#write(end)
    await this.#file.sync()
    await this.#file.close()
    await rename(draftOf(this.#path), this.#path)
    return this.#offset + end.byteLength
  }

  async discard(): Promise<void> {
    await this.#file.close()
    await rm(draftOf(this.#path), { force: true })
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.byteLength - done, this.#offset + done)
      done += bytesWritten
    }
  }
}

/** What a file that is not whole yet is called. */
export function draftOf(path: string): string {
  return `${path}.part`
}

/** A whole file. It is opened for each read, so it may be removed at any time. */
export class SnapshotFile {
  readonly path: string
  readonly manifest: Uint8Array
  /** In bytes. */
  readonly length: number
  readonly #rows: readonly ChunkRow[]

  private constructor(path: string, length: number, manifest: Uint8Array, rows: readonly ChunkRow[]) {
    this.path = path
    this.length = length
    this.manifest = manifest
    this.#rows = rows
  }

  get chunks(): number {
    return this.#rows.length
  }

  /** Reads the footer. @throws MolochError SNAPSHOT_MISSING | SNAPSHOT_DAMAGED | STORE_FAILED: the file may be whole */
  static open(path: string): Promise<SnapshotFile> {
    return withFile(path, async (file) => {
      // First: what can't be read, such as a folder, may have any size.
      if (!equalBytes(await read(file, 0, MAGIC.byteLength), MAGIC)) throw damaged(path, 'it does not begin as one')
      const { size } = await file.stat()
      const least = MAGIC.byteLength + 4 + TRAILER_BYTES
      if (size < least) throw damaged(path, `it is ${size} bytes`)
      const trailer = await read(file, size - TRAILER_BYTES, TRAILER_BYTES)
      const start = readHeight(trailer)
      const footerBytes = size - TRAILER_BYTES - start
      if (start < MAGIC.byteLength || footerBytes < 4 || footerBytes > MAX_FOOTER_BYTES) throw damaged(path, 'its end')
      const footer = await read(file, start, footerBytes)
      if (!equalBytes(sha256(footer), trailer.subarray(HEIGHT_BYTES))) throw damaged(path, 'the checksum of its end')
      return SnapshotFile.#parse(path, size, start, footer)
    })
  }

  static #parse(path: string, size: number, start: number, footer: Uint8Array): SnapshotFile {
    const bytes = view(footer)
    const table = 4 + bytes.readUInt32BE(0)
    const rows: ChunkRow[] = []
    let offset = MAGIC.byteLength
    for (let at = table; at + ENTRY_BYTES <= footer.byteLength; at += ENTRY_BYTES) {
      const length = bytes.readUInt32BE(at)
      rows.push({ offset, length, hash: footer.slice(at + 4, at + ENTRY_BYTES) })
      offset += length
    }
    if (offset !== start || table + rows.length * ENTRY_BYTES !== footer.byteLength) throw damaged(path, 'its table')
    return new SnapshotFile(path, size, footer.slice(4, table), rows)
  }

  /**
   * Chunk `number` from 0; undefined: there is none.
   * @throws MolochError SNAPSHOT_MISSING | SNAPSHOT_DAMAGED | STORE_FAILED: the file may be whole
   */
  async read(number: number): Promise<Uint8Array | undefined> {
    const row = this.#rows[number]
    if (row === undefined) return undefined
    return withFile(this.path, async (file) => {
      const chunk = await read(file, row.offset, row.length)
      if (!equalBytes(sha256(chunk), row.hash)) throw damaged(this.path, `the checksum of chunk ${number}`)
      return chunk
    })
  }
}

async function withFile<Result>(path: string, use: (file: FileHandle) => Promise<Result>): Promise<Result> {
  try {
    const file = await open(path, 'r')
    try {
      return await use(file)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof MolochError) throw error
    if (isAbsent(error)) throw storeError('SNAPSHOT_MISSING', `there is no snapshot ${path}`, { path }, error)
    const message = `the snapshot ${path} can't be read now: ${messageOf(error)}; it is kept: see to the disk`
    throw storeError('STORE_FAILED', message, { path }, error)
  }
}

/** Less at the end of the file. */
async function read(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return bytes.subarray(0, done)
}

function damaged(path: string, what: string): Error {
  const message = `the snapshot ${path} is damaged (${what}): remove it, or copy it again`
  return storeError('SNAPSHOT_DAMAGED', message, { path })
}
