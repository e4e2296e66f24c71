/** The writer on disks that are slow, fail, or are full. */
import { describe, expect, it, vi } from 'vitest'
import type { Log } from '../../src/log.ts'
import { silentLog } from '../../src/log.ts'
import type { TraceEvent } from '../../src/trace/event.ts'
import { encoderOf, TRACE_FORMATS } from '../../src/trace/format.ts'
import { encodeProtobuf } from '../../src/trace/protobuf.ts'
import { waitUntil } from '../support/until.ts'
import { Disk } from './support/disk.ts'
import { numbered, tally, tracesIn } from './support/traces.ts'
import { open, range, record } from './support/writing.ts'

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
      const kept = range(0, 20_000 - lost).reduce((bytes, event) => bytes + encoderOf(format)(event).length, 0)
      expect(kept).toBeLessThanOrEqual(bufferBytes)
      expect(kept).toBeGreaterThan(bufferBytes * 0.9)
      disk.release()
      // There is room again, and nothing new: the trace says what is missing without waiting for another event.
      await writer.close()
      const events = (await tracesIn(folder)).flat()
      expect(tally(events)).toEqual({ events: 20_000 - lost, lost })
      expect(events.filter((event) => event.type === 'LOST')).toEqual([
        { type: 'LOST', peerId: numbered(0).peerId, timestamp: numbered(19_999).timestamp, count: lost }
      ])
      expect(writer.stats).toMatchObject({ recorded: 20_000, written: 20_000 - lost, lost, errors: 0 })
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
    await waitUntil(() => writer.stats.written === 10)
    disk.fault = { code: 'ENOSPC', after: 7 }
    record(writer, 10, 20)
    await waitUntil(() => writer.stats.errors >= 3)
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]?.[0]).toMatchObject({ error: expect.stringContaining('ENOSPC') })
    expect(writer.stats).toMatchObject({ written: 10, lost: 0 })
    disk.fault = undefined
    await waitUntil(() => writer.stats.written === 20)
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
    await waitUntil(() => writer.stats.errors >= 2)
    const { lost } = writer.stats
    expect(lost).toBeGreaterThan(0)
    disk.fault = undefined
    await waitUntil(() => writer.stats.written === 5000 - lost)
    record(writer, 5000, 5001)
    await writer.close()
    expect(tally((await tracesIn(folder)).flat())).toEqual({ events: 5001 - lost, lost })
  })

  it('at the end costs what it does not take, and leaves no half of a record', async () => {
    const warn = vi.fn()
    const disk = new Disk()
    const { folder, writer } = await open({ flushMs: 5, write: disk.write, log: { ...silentLog, warn } })
    record(writer, 0, 10)
    await waitUntil(() => writer.stats.written === 10)
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
    await waitUntil(() => writer.stats.written >= 5)
    disk.fault = { code: 'ENOSPC', after: 0 }
    record(writer, 6, 20)
    await waitUntil(() => writer.stats.errors >= 5)
    await writer.close()
    expect((await tracesIn(folder)).flat().length).toBeGreaterThanOrEqual(5)
  })
})
