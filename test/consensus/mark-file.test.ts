import { copyFileSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { MarkFile } from '../../src/consensus/mark-file.ts'
import { type Mark, type MarkState, SLOT_BYTES } from '../../src/consensus/signer-mark.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { tempDir } from '../support/temp-dir.ts'
import { writeFreshMark } from './support/marks.ts'

const key = keyPairFromSeed(new Uint8Array(32).fill(3))
const genesisHash = new Uint8Array(32).fill(9)
const newPath = (): string => join(tempDir(), 'validator.mark')

function mark(sequence: number, height: number): Mark {
  const last = { round: 0, step: 'prevote' } as const
  return { publicKey: 'ab', genesisHash: 'cd', sequence, digest: `digest ${sequence}`, height, last }
}

function opened(path: string): MarkFile {
  const file = new MarkFile(path)
  onTestFinished(() => file.close())
  return file
}

async function written(path: string, ...marks: Mark[]): Promise<void> {
  const file = new MarkFile(path)
  for (const one of marks) await file.write(one)
  await file.close()
}

const read = (path: string): Promise<MarkState> => new MarkFile(path).read()

describe('a mark', () => {
  it('is read as it was written last, whatever was written before; nobody else may read it', async () => {
    const path = newPath()
    const file = opened(path)
    const marks = [mark(1, 1), mark(2, 1), mark(3, 1), mark(4, 2), mark(5, 2), mark(6, 9)]
    for (const one of marks) {
      await file.write(one)
      expect(await read(path)).toEqual({ kind: 'read', mark: one, copied: false, torn: false })
    }
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('is on the disk when it is written, and so is its name', async () => {
    const path = newPath()
    const probe = await open(path, 'w')
    const files = Object.getPrototypeOf(probe) as FileHandle
    await probe.close()
    const order: string[] = []
    for (const name of ['write', 'datasync', 'sync'] as const) {
      const real = files[name] as (...args: unknown[]) => Promise<unknown>
      const spy = vi.spyOn(files, name as 'sync').mockImplementation(async function (this: FileHandle, ...args: []) {
        const done = await real.apply(this, args)
        order.push((await this.stat()).isDirectory() ? `${name} folder` : name)
        return done as undefined
      })
      onTestFinished(() => spy.mockRestore())
    }
    const file = opened(path)
    // A new height is a new file.
    for (const one of [mark(1, 1), mark(2, 1), mark(3, 2)]) {
      order.length = 0
      await file.write(one)
      expect(order).toEqual(['write', 'datasync', ...(one.sequence === 2 ? [] : ['sync folder'])])
    }
  })

  it('of nothing signed is at home in any file', async () => {
    const path = newPath()
    writeFreshMark(path, key.publicKey, genesisHash)
    copyFileSync(path, `${path}.copy`)
    renameSync(`${path}.copy`, path)
    expect(await read(path)).toMatchObject({ kind: 'read', copied: false, mark: { sequence: 0, height: 0 } })
  })

  it('may be missing', async () => {
    expect(await read(newPath())).toEqual({ kind: 'missing' })
  })

  it('goes on where a start that died left a new file beside it', async () => {
    const path = newPath()
    writeFileSync(`${path}.new`, 'half')
    await written(path, mark(1, 1))
    expect(await read(path)).toMatchObject({ kind: 'read', mark: { sequence: 1 } })
  })
})

describe('a copy', () => {
  const put: [string, (from: string, to: string) => void][] = [
    ['in a new file', (from, to) => renameSync(from, to)],
    ['over the file that it is of', (from, to) => copyFileSync(from, to)],
    ['bytes alone, over that file', (from, to) => writeFileSync(to, readFileSync(from))]
  ]
  it.each(put)('that is put back %s is told', async (_, putBack) => {
    const path = newPath()
    await written(path, mark(1, 1), mark(2, 1))
    copyFileSync(path, `${path}.backup`)
    await written(path, mark(3, 2))
    putBack(`${path}.backup`, path)
    expect(await read(path)).toMatchObject({ kind: 'read', copied: true, mark: { sequence: 2 } })
  })

  it('is told also when nothing was signed since, and is at home once it was written to', async () => {
    const path = newPath()
    await written(path, mark(1, 1))
    copyFileSync(path, `${path}.copy`)
    expect(await read(`${path}.copy`)).toMatchObject({ copied: true })
    await written(`${path}.copy`, mark(2, 1))
    expect(await read(`${path}.copy`)).toMatchObject({ copied: false })
  })
})

describe('damage', () => {
  it('a write that was cut off leaves the one before, and is told', async () => {
    const path = newPath()
    await written(path, mark(1, 1), mark(2, 1))
    const bytes = readFileSync(path)
    bytes.fill(0, SLOT_BYTES, SLOT_BYTES + 100)
    writeFileSync(path, bytes)
    expect(await read(path)).toMatchObject({ kind: 'read', mark: { sequence: 1 }, torn: true })
  })

  it.each(['empty', 'cut', 'flipped', 'other'])('of all of it (%s) is told', async (how) => {
    const path = newPath()
    await written(path, mark(1, 1))
    const bytes = readFileSync(path)
    if (how === 'empty') truncateSync(path)
    if (how === 'cut') truncateSync(path, 100)
    if (how === 'flipped') {
      bytes[20] = (bytes[20] ?? 0) ^ 1
      writeFileSync(path, bytes)
    }
    if (how === 'other') writeFileSync(path, 'a file of somebody else\n')
    expect(await read(path)).toMatchObject({ kind: 'damaged' })
    rmSync(path)
  })

  it('of any byte is told, but for the blanks after the text', async () => {
    const path = newPath()
    await written(path, mark(1, 1))
    const whole = readFileSync(path)
    const length = whole.toString('utf8').trimEnd().length
    for (let at = 0; at < length; at += 7) {
      const bytes = Uint8Array.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 4
      writeFileSync(path, bytes)
      expect(await read(path), `byte ${at}`).toMatchObject({ kind: 'damaged' })
    }
  })
})
