import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TraceEvent } from '../../src/trace/event.ts'
import { mergeTraces } from '../../src/trace/merge.ts'
import { encodeNdjson } from '../../src/trace/ndjson.ts'
import { encodeProtobuf } from '../../src/trace/protobuf.ts'
import { TraceReader, type TraceReaderOptions } from '../../src/trace/reader.ts'
import { runs } from '../support/runs.ts'
import { tempDir } from '../support/temp-dir.ts'
import { traceEvent } from './support/arbitraries.ts'
import { eventsOf, numbered } from './support/traces.ts'

function file(content: Uint8Array | string): string {
  const path = join(tempDir(), 'trace')
  writeFileSync(path, content)
  return path
}

async function read(content: Uint8Array | string, options?: TraceReaderOptions) {
  const reader = new TraceReader(file(content), options)
  const events = await eventsOf(reader)
  return { events, torn: reader.torn, skipped: reader.skipped }
}

const forms = {
  pb: (events: TraceEvent[]) => Buffer.concat(events.map(encodeProtobuf)),
  ndjson: (events: TraceEvent[]) => Buffer.concat(events.map(encodeNdjson))
}
const all = {
  ...forms,
  'pb.gz': (events: TraceEvent[]) => gzipSync(forms.pb(events)),
  'ndjson.gz': (events: TraceEvent[]) => gzipSync(forms.ndjson(events))
}
const names = Object.keys(all) as (keyof typeof all)[]
const some = Array.from({ length: 1000 }, (_, i) => numbered(i))

describe.each(names)('%s', (name) => {
  const form = all[name]

  it('is known by its content, and read as it was', async () => {
    const check = async (events: TraceEvent[]) => {
      expect(await read(form(events))).toEqual({ events, torn: undefined, skipped: 0 })
    }
    await fc.assert(fc.asyncProperty(fc.array(traceEvent, { maxLength: 20 }), check), runs(50))
  })

  it('is read over the borders of the pieces that a file is read in', async () => {
    expect((await read(form(some))).events).toEqual(some)
  })

  it('is read again from the start by a second reading', async () => {
    const reader = new TraceReader(file(form(some)))
    for await (const event of reader) if (event.timestamp > numbered(10).timestamp) break
    expect(await eventsOf(reader)).toEqual(some)
  })
})

describe.each(['pb', 'ndjson'] as const)('a torn %s', (name) => {
  it('is read up to where it is torn, wherever that is', async () => {
    const events = [numbered(0), numbered(1), numbered(2)]
    const whole = forms[name](events)
    const size = whole.length / 3
    const path = file('')
    for (let length = 0; length <= whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length))
      const reader = new TraceReader(path)
      // A line is whole without its line feed.
      const complete = Math.floor((name === 'ndjson' ? length + 1 : length) / size)
      expect(await eventsOf(reader)).toEqual(events.slice(0, complete))
      expect(reader.torn).toBe(length <= complete * size ? undefined : length - complete * size)
    }
  })
})

describe('a torn gzip', () => {
  it.each(['pb.gz', 'ndjson.gz'] as const)('gives what can be unpacked: %s', async (name) => {
    const whole = all[name](some)
    const { events, torn } = await read(whole.subarray(0, whole.length / 2))
    expect(events.length).toBeGreaterThan(300)
    expect(events).toEqual(some.slice(0, events.length))
    expect(torn).toBeGreaterThanOrEqual(0)
  })

  it('is torn if only its end is missing', async () => {
    const whole = all['pb.gz'](some)
    expect(await read(whole.subarray(0, -8))).toEqual({ events: some, torn: 0, skipped: 0 })
    expect((await read(whole.subarray(0, 5))).torn).toBe(0)
  })

  it('may have several members, and zeros after them', async () => {
    const members = Buffer.concat([all['pb.gz'](some), all['pb.gz'](some), Buffer.alloc(100)])
    expect(await read(members)).toEqual({ events: [...some, ...some], torn: undefined, skipped: 0 })
  })
})

it('passes over records of types that it does not know, and counts them', async () => {
  const pb = Buffer.concat([Buffer.from('0408731805' + '0408731805', 'hex'), encodeProtobuf(numbered(0))])
  expect(await read(pb)).toEqual({ events: [numbered(0)], torn: undefined, skipped: 2 })
  const lines = `{"type":13}\n\n  \r\n${Buffer.from(encodeNdjson(numbered(0)))}{"type":14}`
  expect(await read(lines)).toEqual({ events: [numbered(0)], torn: undefined, skipped: 2 })
})

it('reads the shortest files', async () => {
  expect(await read('')).toEqual({ events: [], torn: undefined, skipped: 0 })
  expect(await read(gzipSync(''))).toEqual({ events: [], torn: undefined, skipped: 0 })
  const join = { type: 'JOIN', peerId: new Uint8Array(), timestamp: 0n, topic: '' }
  expect(await read(Buffer.from('020809', 'hex'))).toEqual({ events: [join], torn: undefined, skipped: 0 })
})

describe('what is no trace', () => {
  const rest =
    /; accepted are traces of go-libp2p-pubsub: length-delimited protobuf or NDJSON, either of them gzipped or not$/
  const pb = encodeProtobuf(numbered(0))
  const line = Buffer.from(encodeNdjson(numbered(0))).toString()
  const gzip = all['pb.gz'](some)

  it.each([
    ['text', 'hello world\n', 'its beginning: no record of a trace begins like that'],
    ['zeros', Buffer.alloc(100), 'its beginning: no record'],
    ['an image', Buffer.from('89504e470d0a1a0a0000000d', 'hex'), 'its beginning: no record'],
    ['other JSON', '{"a":1}\n', 'line 1: it has no type'],
    ['no JSON', '{"type":9}\n{hello}\n', 'line 2: '],
    ['other protobuf', Buffer.from('05080912ff01', 'hex'), 'byte 0: '],
    ['a record without type', Buffer.concat([pb, Buffer.from('021005', 'hex')]), `byte ${pb.length}: `],
    ['an endless length', Buffer.concat([pb, Buffer.alloc(20, 0xff)]), `byte ${pb.length}: a record of `],
    ['gzip of text', gzipSync('hello world'), 'its beginning: no record'],
    [
      'damaged gzip',
      Buffer.concat([gzip.subarray(0, 1000), Buffer.alloc(50), gzip.subarray(1050)]),
      'its compression: '
    ],
    ['garbage after gzip', Buffer.concat([gzip, Buffer.from('garbage')]), 'its compression: ']
  ])('is said to be none in one line: %s', async (_, content, what) => {
    const path = file(content)
    const error = await eventsOf(new TraceReader(path)).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'TRACE_MALFORMED', details: { path } })
    const { message } = error as Error
    expect(message.startsWith(`${path} is no trace, or a damaged one, at ${what}`), message).toBe(true)
    expect(message).toMatch(rest)
    expect(message).not.toContain('\n')
  })

  it('is told apart from what cannot be read', async () => {
    const path = join(tempDir(), 'none')
    const error = { code: 'TRACE_UNREADABLE', message: expect.stringContaining(`cannot read ${path}: ENOENT`) }
    await expect(eventsOf(new TraceReader(path))).rejects.toMatchObject(error)
    await expect(eventsOf(new TraceReader(tempDir()))).rejects.toMatchObject({ code: 'TRACE_UNREADABLE' })
  })

  it('gives what comes before it', async () => {
    const events: TraceEvent[] = []
    const reading = async () => {
      for await (const event of new TraceReader(file(`${line}${line}{}\n`))) events.push(event)
    }
    await expect(reading()).rejects.toMatchObject({ code: 'TRACE_MALFORMED' })
    expect(events).toEqual([numbered(0), numbered(0)])
  })

  it('may be a record that is larger than allowed', async () => {
    const large: TraceEvent = { type: 'JOIN', peerId: new Uint8Array(), timestamp: 0n, topic: 't'.repeat(70_000) }
    for (const content of [encodeProtobuf(large), encodeNdjson(large)]) {
      expect((await read(content)).events).toEqual([large])
      const allowed = { maxRecordBytes: content.length - 10 }
      await expect(read(content, allowed)).rejects.toThrow(/a record of .* bytes/)
    }
  })

  it('is not what a reader of events throws itself', async () => {
    const reading = async () => {
      for await (const _ of new TraceReader(file(pb))) throw new Error('mine')
    }
    await expect(reading()).rejects.toThrow('mine')
  })
})

describe('mergeTraces', () => {
  async function* from(events: TraceEvent[]) {
    yield* events
  }

  it('has all events in order of time, those of one time in order of their sources', async () => {
    const times = fc.array(fc.array(fc.nat(30), { maxLength: 12 }), { maxLength: 9 })
    const check = async (sources: number[][]) => {
      const traces = sources.map((source, place) =>
        source
          .sort((a, b) => a - b)
          .map(
            (time): TraceEvent => ({ type: 'JOIN', peerId: Uint8Array.of(place), timestamp: BigInt(time), topic: '' })
          )
      )
      const merged = await eventsOf(mergeTraces(traces.map(from)))
      // Sorting is stable, so this is what a merge has to give.
      expect(merged).toEqual(traces.flat().sort((a, b) => Number(a.timestamp - b.timestamp)))
    }
    await fc.assert(fc.asyncProperty(times, check), runs(200))
  })

  it('merges files of any form', async () => {
    const paths = names.map((name, k) => file(all[name](some.filter((_, i) => i % names.length === k))))
    expect(await eventsOf(mergeTraces(paths.map((path) => new TraceReader(path))))).toEqual(some)
  })

  it('holds one event of each source, and closes all when it is left', async () => {
    const closed: number[] = []
    let taken = 0
    async function* source(place: number) {
      try {
        for (let i = 0; ; i++) {
          taken++
          yield numbered(i)
        }
      } finally {
        closed.push(place)
      }
    }
    let events = 0
    for await (const _ of mergeTraces([source(0), source(1), source(2)])) if (++events === 100) break
    expect(taken).toBeLessThanOrEqual(102)
    expect(closed).toEqual([0, 1, 2])
  })
})
