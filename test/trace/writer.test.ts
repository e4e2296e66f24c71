import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TraceEvent } from '../../src/trace/event.ts'
import { TRACE_FORMATS } from '../../src/trace/format.ts'
import { encodeProtobuf } from '../../src/trace/protobuf.ts'
import { runs } from '../support/runs.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitUntil } from '../support/until.ts'
import { traceEvent } from './support/arbitraries.ts'
import { filesIn, numbered, tracesIn } from './support/traces.ts'
import { open, range, record } from './support/writing.ts'

describe.each(TRACE_FORMATS)('.%s', (format) => {
  it('has what was recorded, over files that are each whole, none larger than allowed', async () => {
    const write = async (events: TraceEvent[]) => {
      const { folder, writer } = await open({ format, maxFileBytes: 3000, maxFiles: 1000 })
      for (const event of events) writer.record(event)
      await writer.close()
      expect((await tracesIn(folder)).flat()).toEqual(events)
      const bytes = filesIn(folder).reduce((sum, file) => sum + statSync(file).size, 0)
      expect(writer.stats).toEqual({ recorded: events.length, written: events.length, lost: 0, errors: 0, bytes })
    }
    const events = fc.array(traceEvent, { minLength: 1, maxLength: 60, size: 'max' })
    await fc.assert(fc.asyncProperty(events, write), runs(10))
  })

  it('begins another file before one becomes too large', async () => {
    const maxFileBytes = 20_000
    const { folder, writer } = await open({ format, maxFileBytes, maxFiles: 1000 })
    record(writer, 0, 1000)
    await writer.close()
    const files = filesIn(folder)
    expect(files.length).toBeGreaterThan(1)
    expect(files.map((file) => basename(file))).toEqual(
      files.map((_, i) => `trace-${String(i + 1).padStart(6, '0')}.${format}`)
    )
    for (const file of files) expect(statSync(file).size).toBeLessThanOrEqual(maxFileBytes)
    expect((await tracesIn(folder)).flat()).toEqual(range(0, 1000))
  })
})

describe('files', () => {
  it('are one gzip member each, of what the plain file has', async () => {
    const plain = await open({ format: 'ndjson' })
    const packed = await open({ format: 'ndjson.gz' })
    for (const { writer } of [plain, packed]) {
      record(writer, 0, 5000)
      await writer.close()
    }
    const [bytes, gzip] = [plain, packed].map(({ folder }) => readFileSync(filesIn(folder)[0] as string))
    expect(gunzipSync(gzip as Buffer).equals(bytes as Buffer)).toBe(true)
    expect((gzip as Buffer).length).toBeLessThan((bytes as Buffer).length / 3)
    // CRC and length of the whole are at the end of the one member.
    expect((gzip as Buffer).readUInt32LE((gzip as Buffer).length - 4)).toBe((bytes as Buffer).length)
  })

  it('are filled to the byte where records fit exactly', async () => {
    const size = encodeProtobuf(numbered(0)).length
    const { folder, writer } = await open({ maxFileBytes: 3 * size, maxFiles: 1000 })
    record(writer, 0, 9)
    await writer.close()
    expect(await tracesIn(folder)).toEqual([range(0, 3), range(3, 6), range(6, 9)])
  })

  it('give way to newer ones, those of earlier runs first', async () => {
    const size = encodeProtobuf(numbered(0)).length
    const folder = join(tempDir(), 'traces')
    const options = { folder, maxFileBytes: 3 * size, maxFiles: 2 }
    const first = await open(options)
    record(first.writer, 0, 9)
    await first.writer.close()
    expect(filesIn(folder).map((file) => basename(file))).toEqual(['trace-000002.pb', 'trace-000003.pb'])
    writeFileSync(join(folder, 'trace-notes.txt'), 'kept')
    writeFileSync(join(folder, 'other-000001.pb'), '')
    // No writer has named these.
    const foreign = ['trace-000000.pb', 'trace-000002.txt', 'trace-0000001.pb', 'trace-20261125.pb']
    for (const file of foreign) writeFileSync(join(folder, file), '')
    const second = await open(options)
    record(second.writer, 9, 12)
    await second.writer.close()
    const left = ['other-000001.pb', 'trace-000003.pb', 'trace-000004.pb', 'trace-notes.txt']
    expect(filesIn(folder).map((file) => basename(file))).toEqual([...left, ...foreign].sort())
    expect(second.writer.stats.bytes).toBe(3 * size)
    // Those that were removed are counted too.
    expect(first.writer.stats.bytes).toBe(9 * size)
  })

  it('that got nothing are not left behind', async () => {
    const { folder, writer } = await open()
    await writer.close()
    expect(filesIn(folder)).toEqual([])
  })

  it('have what was recorded once the flush interval is over', async () => {
    const { folder, writer } = await open({ format: 'pb.gz', flushMs: 5 })
    writer.record(numbered(0))
    await waitUntil(() => writer.stats.written === 1)
    const [file] = filesIn(folder) as [string]
    // Not ended, and all the same there.
    expect(statSync(file).size).toBeGreaterThan(0)
    await writer.close()
    writer.record(numbered(1))
    await writer.close()
    expect(await tracesIn(folder)).toEqual([[numbered(0)]])
    expect(writer.stats.recorded).toBe(1)
  })

  it('are of one writer at a time, and of the next when that has ended or was killed', async () => {
    const folder = join(tempDir(), 'traces')
    const { writer } = await open({ folder })
    const what = `${join(folder, 'trace')}-* is the gossip trace that process ${process.pid} writes; another name is accepted`
    await expect(open({ folder })).rejects.toMatchObject({ code: 'TRACE_HELD', message: what })
    await (await open({ folder, name: 'another' })).writer.close()
    await writer.close()
    expect(readdirSync(folder)).toEqual([])

    const lock = join(folder, '.trace.lock')
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    try {
      const stat = readFileSync(`/proc/${other.pid}/stat`, 'utf8')
      const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
      writeFileSync(lock, `${other.pid} ${start}\n`)
      await expect(open({ folder })).rejects.toMatchObject({ code: 'TRACE_HELD' })
      // Its id is another program's by now.
      writeFileSync(lock, `${other.pid} 1\n`)
      await (await open({ folder })).writer.close()
      writeFileSync(lock, `${other.pid} ${start}\n`)
    } finally {
      const gone = once(other, 'exit')
      other.kill('SIGKILL')
      await gone
    }
    await (await open({ folder })).writer.close()
    // In a container that starts again, it is often our own id.
    writeFileSync(lock, `${process.pid} 1\n`)
    await (await open({ folder })).writer.close()
    expect(readdirSync(folder)).toEqual([])
  })

  it('cannot be in a folder that is a file', async () => {
    const file = join(tempDir(), 'file')
    writeFileSync(file, '')
    await expect(open({ folder: file })).rejects.toMatchObject({
      code: 'TRACE_FOLDER',
      message: expect.stringMatching(/^cannot write traces to .*file: .*; a folder that can be written is accepted$/)
    })
  })
})

it('lets a record go that no reader would take, and says so', async () => {
  const { folder, writer } = await open({ bufferBytes: 16 << 20 })
  const huge: TraceEvent = { ...numbered(1), type: 'PUBLISH_MESSAGE', messageId: new Uint8Array(5 << 20), topic: 't' }
  writer.record(huge)
  writer.record(numbered(2))
  await writer.close()
  const { peerId, timestamp } = huge
  expect(await tracesIn(folder)).toEqual([[{ type: 'LOST', peerId, timestamp, count: 1 }, numbered(2)]])
})

it('writes the same bytes for the same events', async () => {
  const hashes = await Promise.all(
    [0, 1].map(async () => {
      const { folder, writer } = await open({ format: 'pb.gz' })
      record(writer, 0, 2000)
      await writer.close()
      return createHash('sha256')
        .update(readFileSync(filesIn(folder)[0] as string))
        .digest('hex')
    })
  )
  expect(hashes[0]).toBe(hashes[1])
})
