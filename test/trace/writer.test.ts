import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { Log } from '../../src/log.ts'
import { silentLog } from '../../src/log.ts'
import type { TraceEvent } from '../../src/trace/event.ts'
import { TRACE_FORMATS } from '../../src/trace/format.ts'
import { encodeProtobuf } from '../../src/trace/protobuf.ts'
import { TraceWriter, type TraceWriterOptions } from '../../src/trace/writer.ts'
import { runs } from '../support/runs.ts'
import { tempDir } from '../support/temp-dir.ts'
import { traceEvent } from './support/arbitraries.ts'
import { Disk } from './support/disk.ts'
import { filesIn, numbered, tally, tracesIn } from './support/traces.ts'

/** So long that only what is full, and `close`, has anything written. */
const NEVER = 2 ** 31 - 1

async function open(options: Partial<TraceWriterOptions> = {}): Promise<{ folder: string; writer: TraceWriter }> {
  const folder = options.folder ?? join(tempDir(), 'traces')
  const writer = await TraceWriter.open({ format: 'pb', flushMs: NEVER, log: silentLog, ...options, folder })
  return { folder, writer }
}

function record(writer: TraceWriter, from: number, to: number): void {
  for (let i = from; i < to; i++) writer.record(numbered(i))
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => numbered(from + i))

describe.each(TRACE_FORMATS)('.%s', (format) => {
  it('has what was recorded, over files that are each whole, none larger than allowed', async () => {
    const write = async (events: TraceEvent[]) => {
      const { folder, writer } = await open({ format, maxFileBytes: 3000, maxFiles: 1000 })
      for (const event of events) writer.record(event)
      await writer.close()
      expect((await tracesIn(folder)).flat()).toEqual(events)
      expect(writer.stats).toEqual({ recorded: events.length, written: events.length, lost: 0, errors: 0 })
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
    const second = await open(options)
    record(second.writer, 9, 12)
    await second.writer.close()
    expect(filesIn(folder).map((file) => basename(file))).toEqual([
      'other-000001.pb',
      'trace-000003.pb',
      'trace-000004.pb',
      'trace-notes.txt'
    ])
  })

  it('that got nothing are not left behind', async () => {
    const { folder, writer } = await open()
    await writer.close()
    expect(filesIn(folder)).toEqual([])
  })

  it('have what was recorded once the flush interval is over', async () => {
    const { folder, writer } = await open({ format: 'pb.gz', flushMs: 5 })
    writer.record(numbered(0))
    await vi.waitUntil(() => writer.stats.written === 1)
    const [file] = filesIn(folder) as [string]
    // Not ended, and all the same there.
    expect(statSync(file).size).toBeGreaterThan(0)
    await writer.close()
    writer.record(numbered(1))
    await writer.close()
    expect(await tracesIn(folder)).toEqual([[numbered(0)]])
    expect(writer.stats.recorded).toBe(1)
  })

  it.skipIf(process.getuid?.() === 0)('that cannot be made are told of at the start', async () => {
    const folder = tempDir()
    chmodSync(folder, 0o500)
    await expect(open({ folder: join(folder, 'x') })).rejects.toMatchObject({ code: 'TRACE_FOLDER' })
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

describe('a slow disk', () => {
  it.each(TRACE_FORMATS)(
    'never holds up, takes no more memory than allowed, and every loss is in the trace: %s',
    async (format) => {
      const disk = new Disk()
      disk.hold()
      const bufferBytes = 256 << 10
      const { folder, writer } = await open({ format, bufferBytes, write: disk.write })
      // Synchronous: nothing can be written in between.
      record(writer, 0, 20_000)
      const { written, lost } = writer.stats
      expect(written).toBe(0)
      expect(lost).toBeGreaterThan(10_000)
      disk.release()
      // There is room again, and nothing new: the trace says what is missing without waiting for another event.
      await writer.close()
      const events = (await tracesIn(folder)).flat()
      expect(tally(events)).toEqual({ events: 20_000 - lost, lost })
      expect(events.filter((event) => event.type === 'LOST')).toEqual([
        { type: 'LOST', peerId: numbered(0).peerId, timestamp: numbered(19_999).timestamp, count: lost }
      ])
      expect(writer.stats).toEqual({ recorded: 20_000, written: 20_000 - lost, lost, errors: 0 })
    }
  )

  it('that stops and goes: what was recorded is what is there and what is said to be lost', async () => {
    const disk = new Disk()
    const { folder, writer } = await open({ bufferBytes: 150_000, write: disk.write })
    let recorded = 0
    for (let round = 0; round < 20; round++) {
      disk.hold()
      const arrival = disk.arrival()
      record(writer, recorded, recorded + 300 * round + 1000)
      recorded += 300 * round + 1000
      await arrival
      disk.release()
    }
    await writer.close()
    const events = (await tracesIn(folder)).flat()
    const { lost } = writer.stats
    expect(lost).toBeGreaterThan(0)
    expect(tally(events)).toEqual({ events: recorded - lost, lost })
    // In order of time, so a merge by time has them in order too.
    for (let i = 1; i < events.length; i++) {
      expect((events[i] as TraceEvent).timestamp >= (events[i - 1] as TraceEvent).timestamp).toBe(true)
    }
  })
})

describe('a failing disk', () => {
  it.each(TRACE_FORMATS)('is told of once, tried again, and what waited is written whole: %s', async (format) => {
    const warn = vi.fn()
    const info = vi.fn()
    const log: Log = { ...silentLog, warn, info }
    const disk = new Disk()
    const { folder, writer } = await open({ format, flushMs: 5, write: disk.write, log })
    record(writer, 0, 10)
    await vi.waitUntil(() => writer.stats.written === 10)
    disk.fault = { code: 'ENOSPC', after: 7 }
    record(writer, 10, 20)
    await vi.waitUntil(() => writer.stats.errors >= 3)
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]?.[0]).toMatchObject({ error: expect.stringContaining('ENOSPC') })
    expect(writer.stats).toMatchObject({ written: 10, lost: 0 })
    disk.fault = undefined
    await vi.waitUntil(() => writer.stats.written === 20)
    expect(info).toHaveBeenCalledTimes(1)
    await writer.close()
    expect(await tracesIn(folder)).toEqual([range(0, 20)])
    expect(warn).toHaveBeenCalledTimes(1)
  })

  it('loses what does not fit meanwhile, and says so when it works again', async () => {
    const disk = new Disk()
    const { folder, writer } = await open({ flushMs: 5, bufferBytes: 128 << 10, write: disk.write })
    disk.fault = { code: 'ENOSPC', after: 100 }
    record(writer, 0, 5000)
    await vi.waitUntil(() => writer.stats.errors >= 2)
    const { lost } = writer.stats
    expect(lost).toBeGreaterThan(0)
    disk.fault = undefined
    await vi.waitUntil(() => writer.stats.written === 5000 - lost)
    record(writer, 5000, 5001)
    await writer.close()
    expect(tally((await tracesIn(folder)).flat())).toEqual({ events: 5001 - lost, lost })
  })

  it('at the end costs what it does not take, and leaves no half of a record', async () => {
    const warn = vi.fn()
    const disk = new Disk()
    const { folder, writer } = await open({ flushMs: 5, write: disk.write, log: { ...silentLog, warn } })
    record(writer, 0, 10)
    await vi.waitUntil(() => writer.stats.written === 10)
    disk.fault = { code: 'EIO', after: 7 }
    record(writer, 10, 20)
    await writer.close()
    expect(writer.stats).toMatchObject({ recorded: 20, written: 10, lost: 10 })
    expect(warn).toHaveBeenLastCalledWith(expect.objectContaining({ lost: 10 }), 'the end of the gossip trace is lost')
    expect(await tracesIn(folder)).toEqual([range(0, 10)])
  })

  it('does not drive out the files that are kept', async () => {
    const disk = new Disk()
    const size = encodeProtobuf(numbered(0)).length
    const { folder, writer } = await open({ flushMs: 5, maxFileBytes: 2 * size, maxFiles: 3, write: disk.write })
    record(writer, 0, 6)
    await vi.waitUntil(() => writer.stats.written >= 5)
    disk.fault = { code: 'ENOSPC', after: 0 }
    record(writer, 6, 20)
    await vi.waitUntil(() => writer.stats.errors >= 5)
    await writer.close()
    expect((await tracesIn(folder)).flat().length).toBeGreaterThanOrEqual(5)
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
