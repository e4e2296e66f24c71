import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hasCode } from '../../src/error.ts'
import { draftOf, SnapshotFile, SnapshotWriter } from '../../src/store/snapshot-file.ts'
import { tempDir } from '../support/temp-dir.ts'

const CHUNKS = [new Uint8Array(100).fill(1), new Uint8Array(0), new Uint8Array(300_000).fill(2)]
const MANIFEST = new Uint8Array(500).fill(3)

async function written(): Promise<string> {
  const path = join(tempDir(), '100.snapshot')
  const writer = await SnapshotWriter.create(path)
  for (const chunk of CHUNKS) await writer.append(chunk)
  expect(existsSync(path)).toBe(false)
  expect(await writer.finish(MANIFEST)).toBe(readFileSync(path).byteLength)
  return path
}

test('a file gives back its manifest and chunks, and has its name only when it is whole', async () => {
  const path = await written()
  expect(existsSync(draftOf(path))).toBe(false)
  const file = await SnapshotFile.open(path)
  expect(file.manifest).toEqual(MANIFEST)
  expect(file.chunks).toBe(3)
  for (const [i, chunk] of CHUNKS.entries()) expect(await file.read(i)).toEqual(chunk)
  expect(await file.read(3)).toBeUndefined()
})

test('a draft that is given up leaves nothing', async () => {
  const path = join(tempDir(), '100.snapshot')
  const writer = await SnapshotWriter.create(path)
  await writer.append(CHUNKS[0] as Uint8Array)
  await writer.discard()
  expect([existsSync(path), existsSync(draftOf(path))]).toEqual([false, false])
})

async function isDamaged(path: string): Promise<boolean> {
  try {
    const file = await SnapshotFile.open(path)
    for (let i = 0; i < file.chunks; i++) await file.read(i)
    return false
  } catch (error) {
    if (!hasCode(error, 'SNAPSHOT_DAMAGED')) throw error
    expect(error.message).toContain(`the snapshot ${path} is damaged (`)
    expect(error.message).not.toContain('\n')
    return true
  }
}

test('a file with any bit changed, cut off anywhere, or of something else is damaged', async () => {
  const path = await written()
  const bytes = readFileSync(path)
  expect(await isDamaged(path)).toBe(false)
  const places = [...Array(40).keys(), ...Array.from({ length: 700 }, (_, i) => bytes.byteLength - 1 - i)]
  for (const at of [...places, 200, 150_000]) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] as number) ^ 0x80
    writeFileSync(path, changed)
    expect(await isDamaged(path), `byte ${at}`).toBe(true)
  }
  writeFileSync(path, bytes)
  for (const length of [bytes.byteLength - 1, bytes.byteLength - 100, 1000, 80, 10, 0]) {
    truncateSync(path, length)
    expect(await isDamaged(path), `${length} bytes`).toBe(true)
  }
})

test('only a file that is not there is missing, and what the system does not read is not damaged', async () => {
  const path = await written()
  const file = await SnapshotFile.open(path)
  const expectThrown = (reading: Promise<unknown>, at: string, code: string, cause: string) =>
    expect(reading).rejects.toMatchObject({
      code,
      message: expect.stringContaining(at),
      details: { path: at },
      cause: { code: cause }
    })
  const expectBoth = async (code: string, cause: string) => {
    await expectThrown(SnapshotFile.open(path), path, code, cause)
    await expectThrown(file.read(0), path, code, cause)
  }
  const below = join(path, 'none')
  await expectThrown(SnapshotFile.open(below), below, 'STORE_FAILED', 'ENOTDIR')
  rmSync(path)
  await expectBoth('SNAPSHOT_MISSING', 'ENOENT')
  symlinkSync(path, path)
  await expectBoth('STORE_FAILED', 'ELOOP')
  rmSync(path)
  // It can be opened, and not read.
  mkdirSync(path)
  await expectBoth('STORE_FAILED', 'EISDIR')
})
