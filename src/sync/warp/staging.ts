import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf } from '../../error.ts'
import { syncFolder } from '../../ledger/snapshot/move-folder.ts'
import { isAbsent, storeError } from '../../store/errors.ts'

const MANIFEST = 'manifest'
const BITMAP = 'stored'

/**
 * The chunks of one snapshot on their way to a database: a file each, and a bitmap of those that are whole. A chunk's
 * bit is set only when its file is on disk, so that after a crash no stored chunk is fetched again and no torn one counts.
 *
 * What is absent is to be fetched. Anything else that the system says (no descriptors left, a full disk) says nothing of
 * what is here: it is thrown as STORE_FAILED and everything stays, for hours of download may be in it.
 */
export class Staging {
  readonly #folder: string
  readonly #bitmap: FileHandle
  readonly #bits: Uint8Array
  readonly #storing = new Map<number, Promise<void>>()
  #lastMark: Promise<void> = Promise.resolve()

  private constructor(folder: string, bitmap: FileHandle, bits: Uint8Array) {
    this.#folder = folder
    this.#bitmap = bitmap
    this.#bits = bits
  }

  /** The encoded Manifest whose chunks are in the folder; undefined: there is none. @throws MolochError STORE_FAILED */
  static manifestIn(folder: string): Promise<Uint8Array | undefined> {
    return readIn(folder, MANIFEST)
  }

  /** Begins with no chunk; whatever is in the folder goes. @throws MolochError STORE_FAILED */
  static async begin(folder: string, manifest: Uint8Array, chunks: number): Promise<Staging> {
    const bits = new Uint8Array(Math.ceil(chunks / 8))
    const bitmap = await onDisk('begin to fetch a snapshot in', folder, async () => {
      await Staging.remove(folder)
      await mkdir(folder, { recursive: true })
      await writeWhole(join(folder, BITMAP), bits)
      // Last: with it the folder counts.
      await writeWhole(join(folder, `${MANIFEST}.part`), manifest)
      await rename(join(folder, `${MANIFEST}.part`), join(folder, MANIFEST))
      await syncFolder(folder)
      await syncFolder(dirname(folder))
      return open(join(folder, BITMAP), 'r+')
    })
    return new Staging(folder, bitmap, bits)
  }

  /** Goes on with what is in the folder. @returns undefined if that is not of so many chunks @throws MolochError STORE_FAILED */
  static async resume(folder: string, chunks: number): Promise<Staging | undefined> {
    const bits = await readIn(folder, BITMAP)
    if (bits?.byteLength !== Math.ceil(chunks / 8)) return undefined
    const path = join(folder, BITMAP)
    return new Staging(folder, await onDisk('open', path, () => open(path, 'r+')), bits)
  }

  static async remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true })
  }

  has(chunk: number): boolean {
    return ((this.#bits[chunk >>> 3] as number) & (1 << (chunk & 7))) !== 0
  }

  /** On disk when this resolves. A second call for the same chunk waits for the first. @throws MolochError STORE_FAILED */
  store(chunk: number, data: Uint8Array): Promise<void> {
    if (this.has(chunk)) return Promise.resolve()
    let storing = this.#storing.get(chunk)
    if (storing === undefined) {
      storing = this.#store(chunk, data).finally(() => this.#storing.delete(chunk))
      this.#storing.set(chunk, storing)
    }
    return storing
  }

  async #store(chunk: number, data: Uint8Array): Promise<void> {
    const path = join(this.#folder, nameOf(chunk))
    await onDisk('write', path, async () => {
      await writeWhole(path, data)
      // Its name is to be durable before its bit.
      await syncFolder(this.#folder)
    })
    await this.#mark(chunk, true)
  }

  /**
   * Undefined: it is not there, or lies in a bad place of the disk, and has to be fetched again.
   * @throws MolochError STORE_FAILED
   */
  async read(chunk: number): Promise<Uint8Array | undefined> {
    if (!this.has(chunk)) return undefined
    try {
      return await readIn(this.#folder, nameOf(chunk))
    } catch (error) {
      const cause = (error as Error).cause as { code?: unknown } | undefined
      if (cause?.code === 'EIO') return undefined
      throw error
    }
  }

  /** The chunk turned out to be damaged: it has to be fetched again. @throws MolochError STORE_FAILED */
  forget(chunk: number): Promise<void> {
    return this.#mark(chunk, false)
  }

  /** After what is being stored. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#storing.values(), this.#lastMark])
    await this.#bitmap.close()
  }

  #mark(chunk: number, stored: boolean): Promise<void> {
    const mark = this.#lastMark.then(async () => {
      const at = chunk >>> 3
      const bit = 1 << (chunk & 7)
      const byte = (this.#bits[at] as number) & ~bit
      const marked = stored ? byte | bit : byte
      await onDisk('write', join(this.#folder, BITMAP), async () => {
        await this.#bitmap.write(Uint8Array.of(marked), 0, 1, at)
        await this.#bitmap.datasync()
      })
      this.#bits[at] = marked
    })
    this.#lastMark = mark.catch(() => {})
    return mark
  }
}

function nameOf(chunk: number): string {
  return `chunk-${chunk}`
}

/** Undefined: there is none. @throws MolochError STORE_FAILED */
function readIn(folder: string, name: string): Promise<Uint8Array | undefined> {
  const path = join(folder, name)
  return onDisk('read', path, async () => {
    try {
      return new Uint8Array(await readFile(path))
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  })
}

/** What the system says names no path where a file is open already. @throws MolochError STORE_FAILED */
async function onDisk<Result>(what: string, path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const help = 'see to the disk and start again: what is stored is kept, and used then'
    throw storeError('STORE_FAILED', `can't ${what} ${path}: ${messageOf(error)}; ${help}`, { path }, error)
  }
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}
