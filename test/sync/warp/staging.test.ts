import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Staging } from '../../../src/sync/warp/staging.ts'
import { tempDir } from '../../support/temp-dir.ts'

const MANIFEST = new Uint8Array(300).fill(7)
const CHUNKS = 20
const data = (chunk: number) => new Uint8Array(1000).fill(chunk)

/** A folder that chunks 3 and 17 are stored in, and nobody has open. */
async function stored(): Promise<string> {
  const folder = join(tempDir(), 'warp')
  const staging = await Staging.begin(folder, MANIFEST, CHUNKS)
  await Promise.all([staging.store(3, data(3)), staging.store(17, data(17))])
  await staging.close()
  return folder
}

async function resumed(folder: string): Promise<Staging> {
  const staging = await Staging.resume(folder, CHUNKS)
  if (staging === undefined) throw new Error(`nothing in ${folder}`)
  return staging
}

function failed(path: string, cause: string) {
  return {
    code: 'STORE_FAILED',
    message: expect.stringMatching(
      new RegExp(`^can't \\w+ ${path}: ${cause}: [^;]+; see to the disk and start again: what is stored is kept`)
    ),
    details: { path },
    cause: { code: cause }
  }
}

test('what is stored is there when it is resumed, and what is forgotten is not', async () => {
  const folder = await stored()
  expect(await Staging.manifestIn(folder)).toEqual(MANIFEST)
  const staging = await resumed(folder)
  expect([3, 4, 17].map((chunk) => staging.has(chunk))).toEqual([true, false, true])
  expect([await staging.read(3), await staging.read(4)]).toEqual([data(3), undefined])
  await staging.forget(3)
  await staging.close()
  const again = await resumed(folder)
  expect([again.has(3), again.has(17)]).toEqual([false, true])
  await again.close()
  expect(await Staging.resume(folder, 8 * CHUNKS)).toBeUndefined()
})

test('what is absent is none', async () => {
  const folder = await stored()
  const none = join(folder, 'none')
  expect([await Staging.manifestIn(none), await Staging.resume(none, CHUNKS)]).toEqual([undefined, undefined])
  const staging = await resumed(folder)
  rmSync(join(folder, 'chunk-3'))
  expect(await staging.read(3)).toBeUndefined()
  await staging.close()
})

const UNREADABLE = [
  ['ELOOP', (path: string) => symlinkSync(path, path), unlinkSync],
  ['EISDIR', (path: string) => mkdirSync(path), rmdirSync]
] as const

test.each(UNREADABLE)('what the system does not read (%s) is not taken for absent', async (cause, block, unblock) => {
  const folder = await stored()
  const files = readdirSync(folder).sort()
  const whileBlocked = async (name: string, work: () => Promise<unknown>) => {
    const path = join(folder, name)
    renameSync(path, `${folder}.aside`)
    block(path)
    await expect(work()).rejects.toMatchObject(failed(path, cause))
    unblock(path)
    renameSync(`${folder}.aside`, path)
  }
  await whileBlocked('manifest', () => Staging.manifestIn(folder))
  await whileBlocked('stored', () => Staging.resume(folder, CHUNKS))
  const staging = await resumed(folder)
  await whileBlocked('chunk-17', () => staging.read(17))
  expect(await staging.read(17)).toEqual(data(17))
  await staging.close()
  expect(readdirSync(folder).sort()).toEqual(files)
})

test('a chunk that the disk does not take is named with its file, is not counted, and can be stored later', async () => {
  const folder = await stored()
  const staging = await resumed(folder)
  const path = join(folder, 'chunk-5')
  symlinkSync('/dev/full', path)
  await expect(staging.store(5, data(5))).rejects.toMatchObject(failed(path, 'ENOSPC'))
  expect([staging.has(5), await staging.read(5)]).toEqual([false, undefined])
  unlinkSync(path)
  await staging.store(5, data(5))
  await staging.close()
  expect(new Uint8Array(readFileSync(path))).toEqual(data(5))
  const again = await resumed(folder)
  expect([3, 5, 17].every((chunk) => again.has(chunk))).toBe(true)
  await again.close()
})

test('where no folder can be made, that is said', async () => {
  const file = join(tempDir(), 'file')
  symlinkSync(file, file)
  await expect(Staging.begin(join(file, 'warp'), MANIFEST, CHUNKS)).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringContaining(`can't begin to fetch a snapshot in ${join(file, 'warp')}: `)
  })
})
