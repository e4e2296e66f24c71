import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { expect, onTestFinished, test, vi } from 'vitest'
import { utf8 } from '../../src/codec/bytes.ts'
import { hasCode } from '../../src/error.ts'
import { Database, type RowRange } from '../../src/store/database.ts'
import { readError } from '../../src/store/errors.ts'
import { bytesKey, heightKey, heightRange, rangeOf, TABLE } from '../../src/store/keys.ts'
import { tempDir } from '../support/temp-dir.ts'

const genesisHash = new Uint8Array(32).fill(1)

async function open(path: string, options: Partial<Parameters<typeof Database.open>[1]> = {}): Promise<Database> {
  const database = await Database.open(path, { genesisHash, create: true, ...options })
  onTestFinished(() => database.close())
  return database
}

async function codeOf(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await promise.then(
    () => undefined,
    (e) => e
  )
  return { code: error?.code, message: error?.message }
}

test('a second opener gets one line that says who has it and what to do', async () => {
  const path = tempDir()
  await open(path)
  const { code, message } = await codeOf(Database.open(path, { genesisHash, create: true }))
  expect(code).toBe('STORE_LOCKED')
  expect(message).toBe(`the database in ${path} is in use by another process: stop that one, or use another home`)
})

test('another process gets the same', async () => {
  const path = tempDir()
  await open(path)
  const script = `
    const { ClassicLevel } = require('classic-level')
    new ClassicLevel(process.argv[1]).open().catch((e) => console.log(e.cause.code))`
  const child = spawnSync(process.execPath, ['-e', script, path], { encoding: 'utf8', cwd: process.cwd() })
  expect(child.stdout.trim()).toBe('LEVEL_LOCKED')
})

test('a database of another genesis is refused and both are named', async () => {
  const path = tempDir()
  await (await Database.open(path, { genesisHash, create: true })).close()
  const { code, message } = await codeOf(Database.open(path, { genesisHash: new Uint8Array(32).fill(2), create: true }))
  expect(code).toBe('STORE_OTHER_CHAIN')
  expect(message).toContain('01'.repeat(32))
  expect(message).toContain('02'.repeat(32))
  expect(message).not.toContain('\n')
  await open(path)
})

test('another format is refused', async () => {
  const path = tempDir()
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  await level.put(bytesKey(TABLE.META, utf8('identity')), Buffer.concat([Buffer.from([0, 0, 0, 9]), genesisHash]))
  await level.close()
  const { code, message } = await codeOf(Database.open(path, { genesisHash, create: true }))
  expect(code).toBe('STORE_FORMAT')
  expect(message).toContain('has format 9; this version reads format 3')
})

test('somebody else’s database is not filled', async () => {
  const path = tempDir()
  const level = new ClassicLevel(path)
  await level.open()
  await level.put('hello', 'world')
  await level.close()
  expect((await codeOf(Database.open(path, { genesisHash, create: true }))).code).toBe('STORE_CORRUPT')
})

test('nothing is made where nothing is to be made', async () => {
  const path = join(tempDir(), 'chain')
  expect((await codeOf(Database.open(path, { genesisHash, create: false }))).code).toBe('STORE_MISSING')
  expect(existsSync(path)).toBe(false)
})

test('a damaged database is called so', async () => {
  const path = tempDir()
  await (await Database.open(path, { genesisHash, create: true })).close()
  writeFileSync(join(path, 'CURRENT'), 'garbage')
  const { code, message } = await codeOf(Database.open(path, { genesisHash, create: true }))
  expect(code).toBe('STORE_CORRUPT')
  expect(message).not.toContain('\n')
})

test.each([
  ['cut short', (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2))],
  ['empty', (file: string) => truncateSync(file, 0)],
  [
    'a folder',
    (file: string) => {
      rmSync(file)
      mkdirSync(file)
    }
  ],
  ['gone', (file: string) => rmSync(file)]
])('a table that is %s is damage, whichever way it is read', async (_, hurt) => {
  const path = tempDir()
  const keys = await withTables(path)
  for (const name of readdirSync(path)) if (name.endsWith('.ldb')) hurt(join(path, name))
  const reads: ((database: Database) => Promise<unknown>)[] = [
    (database) => database.get(keys[0]!),
    (database) => database.getMany(keys),
    (database) => database.first({ gte: keys[0]! })
  ]
  for (const read of reads) {
    const { code, message } = await codeOf(open(path).then(read))
    expect(code).toBe('STORE_CORRUPT')
    expect(message).toMatch(
      /^the database in .* is damaged \(.*\): restore it from a copy, or remove the folder and sync again$/
    )
  }
})

test.each([
  ['Too many open files', 'raise the limit of open files (ulimit -n)'],
  ['Cannot allocate memory', 'the machine is short of memory'],
  ['Permission denied', 'see to the rights of the folder'],
  ['Input/output error', 'the disk does not give what it holds'],
  ['No space left on device', 'make room on the disk'],
  ['Stale file handle', 'see to the machine and its disk']
])('what the system would not do says nothing of what is on the disk: %s', (words, help) => {
  const message = `IO error: /chain/000005.ldb: ${words}`
  const error = readError('/chain', Object.assign(new Error(message), { code: 'LEVEL_IO_ERROR' }))
  expect(error).toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining(`(${message}): ${help}`) })
})

test('a write that hears of a table that could not be merged says that it is damaged; a list of tables that is gone is damage', async () => {
  const path = tempDir()
  await withTables(path)
  const words = `IO error: ${path}/000005.ldb: No such file or directory`
  const beforeWrite = (): void => {
    throw Object.assign(new Error(words), { code: 'LEVEL_IO_ERROR' })
  }
  const database = await Database.open(path, { genesisHash, create: false, beforeWrite })
  const batch = database.batch()
  batch.put(heightKey(TABLE.BLOCK, 1), new Uint8Array(1))
  expect(await codeOf(database.write(batch))).toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining('restore it from a copy')
  })
  await database.close()
  for (const name of readdirSync(path)) if (name.startsWith('MANIFEST')) rmSync(join(path, name))
  expect((await codeOf(open(path))).code).toBe('STORE_CORRUPT')
})

test('an error that is none of LevelDB’s stays what it is', () => {
  const error = new TypeError('a bug')
  expect(readError('/chain', error)).toBe(error)
})

test('read only, it is read with its journal, and its folder stays as it is', async () => {
  const path = tempDir()
  const keys = await withTables(path)
  const database = await open(path)
  const batch = database.batch()
  batch.put(heightKey(TABLE.BLOCK, 1_000_000), utf8('in the journal'))
  await database.write(batch)
  await database.close()
  const before = listing(path)
  const copy = await Database.open(path, { genesisHash, create: false, readOnly: true })
  expect(await copy.get(keys[0]!)).toEqual(new Uint8Array(1000))
  expect(await copy.get(heightKey(TABLE.BLOCK, 1_000_000))).toEqual(utf8('in the journal'))
  const more = copy.batch()
  more.put(heightKey(TABLE.BLOCK, 1_000_001), utf8('gone'))
  await copy.write(more)
  await copy.close()
  expect(listing(path)).toEqual(before)
  expect(existsSync(join(path, 'CURRENT'))).toBe(true)
})

/** Fills a database and has its rows put into tables. */
async function withTables(path: string): Promise<Uint8Array[]> {
  const keys = Array.from({ length: 100 }, (_, i) => heightKey(TABLE.BLOCK, i))
  const database = await Database.open(path, { genesisHash, create: true })
  const batch = database.batch()
  for (const key of keys) batch.put(key, new Uint8Array(1000))
  await database.write(batch)
  await database.close()
  // Opening it again empties the journal into a table.
  await (await Database.open(path, { genesisHash, create: true })).close()
  return keys
}

function listing(path: string): string[] {
  return readdirSync(path).map((name) => {
    const { size, mtimeMs, ino } = statSync(join(path, name))
    return `${name} ${size} ${mtimeMs} ${ino}`
  })
}

test('a batch is there after closing and opening, rows in the order of heights', async () => {
  const path = tempDir()
  const first = await Database.open(path, { genesisHash, create: true })
  const batch = first.batch()
  const heights = [1, 255, 256, 65536, 2 ** 40]
  for (const height of heights.toReversed()) batch.put(heightKey(TABLE.BLOCK, height), utf8(`${height}`))
  batch.put(heightKey(TABLE.HASH, 3), utf8('of another table'))
  await first.write(batch)
  await first.close()
  const database = await open(path)
  const read = async (range: RowRange) => {
    const values: string[] = []
    for await (const [, value] of database.rows(range)) values.push(Buffer.from(value).toString())
    return values
  }
  expect(await read(rangeOf(TABLE.BLOCK))).toEqual(heights.map(String))
  expect(await read(heightRange(TABLE.BLOCK, 255, 65536))).toEqual(['255', '256', '65536'])
  expect(await read({ ...heightRange(TABLE.BLOCK, 0), reverse: true, limit: 1 })).toEqual([String(2 ** 40)])
})

test('writes happen in the order of their calls', async () => {
  const database = await open(tempDir())
  const key = heightKey(TABLE.BLOCK, 1)
  const writes = Array.from({ length: 50 }, (_, i) => {
    const batch = database.batch()
    batch.put(key, Uint8Array.of(i))
    return database.write(batch)
  })
  await Promise.all(writes)
  expect(await database.get(key)).toEqual(Uint8Array.of(49))
})

test('after a write that failed nothing more is written', async () => {
  let fail = false
  const database = await open(tempDir(), {
    beforeWrite: () => {
      if (fail) throw new Error('no space left')
    }
  })
  const put = (height: number) => {
    const batch = database.batch()
    batch.put(heightKey(TABLE.BLOCK, height), utf8('x'))
    return database.write(batch)
  }
  await put(1)
  fail = true
  const failed = put(2)
  fail = true
  await expect(failed).rejects.toSatisfy((e) => hasCode(e, 'STORE_FAILED'))
  fail = false
  await expect(put(3)).rejects.toThrow('no space left')
  await expect(database.idle()).rejects.toThrow('no space left')
  expect(await database.get(heightKey(TABLE.BLOCK, 1))).toBeDefined()
  expect(await database.get(heightKey(TABLE.BLOCK, 3))).toBeUndefined()
})

test('a write waits for what the hook returns, and the writes after it wait too', async () => {
  const disk: (() => void)[] = []
  let slow = false
  const database = await open(tempDir(), {
    beforeWrite: () => (slow ? new Promise<void>((resolve) => disk.push(resolve)) : undefined)
  })
  slow = true
  const put = (height: number) => {
    const batch = database.batch()
    batch.put(heightKey(TABLE.BLOCK, height), utf8('x'))
    return database.write(batch)
  }
  const first = put(1)
  const second = put(2)
  expect(await database.get(heightKey(TABLE.BLOCK, 1))).toBeUndefined()
  expect(disk).toHaveLength(1)
  disk[0]?.()
  await first
  expect(await database.get(heightKey(TABLE.BLOCK, 1))).toBeDefined()
  expect(disk).toHaveLength(2)
  disk[1]?.()
  await second
})

test('a read of much ends with one of nothing: an iterator holds what it read last until it is collected', async () => {
  const database = await open(tempDir())
  const batch = database.batch()
  for (let height = 1; height <= 20; height++) batch.put(heightKey(TABLE.BLOCK, height), new Uint8Array(50_000))
  await database.write(batch)
  const reads: Promise<unknown[]>[] = []
  const { iterator } = ClassicLevel.prototype
  const spy = vi.spyOn(ClassicLevel.prototype, 'iterator').mockImplementation(function (this: ClassicLevel, options) {
    const made = iterator.call(this, options)
    const nextv = made.nextv.bind(made)
    made.nextv = (size: number) => {
      const read = nextv(size)
      reads.push(read)
      return read
    }
    return made
  })
  onTestFinished(() => spy.mockRestore())
  const lengths = async () => (await Promise.all(reads.splice(0))).map((rows) => rows.length)

  for await (const _ of database.rows({ ...rangeOf(TABLE.BLOCK), readAheadBytes: 120_000 })) break
  expect(await lengths()).toEqual([3, 0])
  let seen = 0
  for await (const _ of database.rows({ ...rangeOf(TABLE.BLOCK), readAheadBytes: 480_000 })) seen++
  expect(seen).toBe(20)
  expect(await lengths()).toEqual([10, 10, 0, 0])
})

test('reading ahead is bounded in bytes', async () => {
  const database = await open(tempDir())
  const batch = database.batch()
  for (let height = 1; height <= 200; height++) batch.put(heightKey(TABLE.BLOCK, height), new Uint8Array(100_000))
  await database.write(batch)
  const before = process.memoryUsage().arrayBuffers
  let seen = 0
  for await (const _ of database.rows({ ...rangeOf(TABLE.BLOCK), readAheadBytes: 200_000 })) {
    if (++seen === 3) break
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_500_000)
})
