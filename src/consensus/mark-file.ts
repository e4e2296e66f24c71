/** The file of the signer's mark. */
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MolochError, messageOf } from '../error.ts'
import { encodeSlot, type Mark, type MarkState, type MarkStore, readSlots, SLOT_BYTES } from './signer-mark.ts'

/**
 * What a mark says of its own file a copy cannot say of itself. The first mark of each height goes to a new file, so that a
 * backup that is written over the file it was made of is told from that one too. Within a height the file is written in place: that
 * costs one flush of a few sectors, a new file costs three.
 */
export class MarkFile implements MarkStore {
  readonly #path: string
  #file: { readonly handle: FileHandle; readonly id: string; readonly height: number; turn: number } | undefined

  constructor(path: string) {
    this.#path = path
  }

  async read(): Promise<MarkState> {
    try {
      return readSlots(await readFile(this.#path), await identity(this.#path))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'missing' }
      const message = `can't read the signer's mark ${this.#path}: ${messageOf(error)}; see to that, and start again`
      throw new MolochError('SIGNER_BROKEN', message, { path: this.#path }, { cause: error })
    }
  }

  async write(mark: Mark): Promise<void> {
    const file = this.#file
    if (file?.height !== mark.height) return this.#replace(mark)
    file.turn += 1
    await writeSlot(file.handle, encodeSlot(mark, { file: file.id, turn: file.turn }), file.turn % 2)
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.handle.close()
  }

  async #replace(mark: Mark): Promise<void> {
    await this.close()
    const staged = `${this.#path}.new`
    await rm(staged, { force: true })
    const handle = await open(staged, 'wx', 0o600)
    try {
      const id = await identity(staged)
      await writeSlot(handle, encodeSlot(mark, { file: id, turn: 0 }), 0)
      await rename(staged, this.#path)
      await syncDirectory(dirname(this.#path))
      this.#file = { handle, id, height: mark.height, turn: 0 }
    } catch (error) {
      await handle.close()
      throw error
    }
  }
}

/** Two files that were ever at a path have different ones, as far as the file system tells when a file was made. */
async function identity(path: string): Promise<string> {
  const { ino, birthtimeNs } = await stat(path, { bigint: true })
  return `${ino}.${birthtimeNs}`
}

async function writeSlot(handle: FileHandle, slot: Uint8Array, index: number): Promise<void> {
  const { bytesWritten } = await handle.write(slot, 0, SLOT_BYTES, index * SLOT_BYTES)
  if (bytesWritten !== SLOT_BYTES) throw new Error(`${bytesWritten} of ${SLOT_BYTES} bytes were written`)
  await handle.datasync()
}

/** A new name is durable once its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
