import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

const MANIFEST = 'manifest'
const BITMAP = 'stored'

/**
 * The chunks of one snapshot on their way to a database: a file each, and a bitmap of those that are whole. A chunk's
 * bit is set only when its file is on disk, so that after a crash no stored chunk is fetched again and no torn one counts.
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

  /** The encoded Manifest whose chunks are in the folder; undefined: there is none. */
  static async manifestIn(folder: string): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await readFile(join(folder, MANIFEST)))
    } catch {
      return undefined
    }
  }

  /** Begins with no chunk; whatever is in the folder goes. */
  static async begin(folder: string, manifest: Uint8Array, chunks: number): Promise<Staging> {
    await Staging.remove(folder)
    await mkdir(folder, { recursive: true })
    const bits = new Uint8Array(Math.ceil(chunks / 8))
    await writeWhole(join(folder, BITMAP), bits)
    // Last: with it the folder counts.
    await writeWhole(join(folder, `${MANIFEST}.part`), manifest)
    await rename(join(folder, `${MANIFEST}.part`), join(folder, MANIFEST))
    await syncFolder(folder)
    return new Staging(folder, await open(join(folder, BITMAP), 'r+'), bits)
  }

  /** Goes on with what is in the folder. @returns undefined if that is not of so many chunks */
  static async resume(folder: string, chunks: number): Promise<Staging | undefined> {
    try {
      const bits = new Uint8Array(await readFile(join(folder, BITMAP)))
      if (bits.byteLength !== Math.ceil(chunks / 8)) return undefined
      return new Staging(folder, await open(join(folder, BITMAP), 'r+'), bits)
    } catch {
      return undefined
    }
  }

  static async remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true })
  }

  has(chunk: number): boolean {
    return ((this.#bits[chunk >>> 3] as number) & (1 << (chunk & 7))) !== 0
  }

  /** On disk when this resolves. A second call for the same chunk waits for the first. */
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
    await writeWhole(this.#pathOf(chunk), data)
    await this.#mark(chunk, true)
  }

  /** Undefined: it is not there, or can't be read. */
  async read(chunk: number): Promise<Uint8Array | undefined> {
    if (!this.has(chunk)) return undefined
    try {
      return new Uint8Array(await readFile(this.#pathOf(chunk)))
    } catch {
      return undefined
    }
  }

  /** The chunk turned out to be damaged: it has to be fetched again. */
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
      await this.#bitmap.write(Uint8Array.of(marked), 0, 1, at)
      await this.#bitmap.datasync()
      this.#bits[at] = marked
    })
    this.#lastMark = mark.catch(() => {})
    return mark
  }

  #pathOf(chunk: number): string {
    return join(this.#folder, `chunk-${chunk}`)
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

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
