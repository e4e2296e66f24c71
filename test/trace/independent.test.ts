/** A reader and writer of the schema by another library, from the schema's text as go-libp2p-pubsub has it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { TRACE_TYPES, type TraceEvent } from '../../src/trace/event.ts'
import { decodeNdjson, encodeNdjson } from '../../src/trace/ndjson.ts'
import { decodeProtobuf, encodeProtobuf } from '../../src/trace/protobuf.ts'
import { TraceReader } from '../../src/trace/reader.ts'
import { TraceWriter } from '../../src/trace/writer.ts'
import { runs } from '../support/runs.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TYPES, traceEventOf } from './support/arbitraries.ts'
import { GO_SCHEMA } from './support/go-schema.ts'
import { eventsOf, filesIn, numbered } from './support/traces.ts'

const schema = protobuf.parse(GO_SCHEMA, { keepCase: true }).root.lookupType('pubsub.pb.TraceEvent')

/** What our lines have, from what that library decoded: its JSON has 64-bit numbers as strings. */
function asJson(record: Uint8Array): Record<string, unknown> {
  const message = schema.decodeDelimited(record)
  return schema.toObject(message, { bytes: String, longs: String }) as Record<string, unknown>
}

function parsed(event: TraceEvent): Record<string, unknown> {
  const text = Buffer.from(encodeNdjson(event)).toString()
  return JSON.parse(text.replace(/"timestamp":(-?\d+)/, '"timestamp":"$1"')) as Record<string, unknown>
}

/** Without the empty bytes, which protobuf keeps and Go's JSON leaves out. */
function dense(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dense)
  if (typeof value !== 'object' || value === null) return value
  const ids = ['messageID', 'peerID', 'receivedFrom', 'sendTo']
  const entries = Object.entries(value).filter(([key, field]) => !(ids.includes(key) && field === ''))
  return Object.fromEntries(entries.map(([key, field]) => [key, dense(field)]))
}

const known = TYPES.filter((type) => TRACE_TYPES[type] < 100)
const own = TYPES.filter((type) => TRACE_TYPES[type] >= 100)

describe.each(known)('%s', (type) => {
  it('is decoded by another library as the same event that its line of JSON is', () => {
    const check = (event: TraceEvent) => {
      const decoded = asJson(encodeProtobuf(event))
      expect(decoded.type).toBe(TRACE_TYPES[type])
      expect(dense(decoded)).toEqual(parsed(event))
    }
    fc.assert(fc.property(traceEventOf(type), check), runs(100))
  })

  it('is encoded by another library to the bytes that are written here, and read here', () => {
    const check = (event: TraceEvent) => {
      const ours = encodeProtobuf(event)
      const theirs = schema.encodeDelimited(schema.fromObject(asJson(ours))).finish()
      expect(Buffer.from(theirs).equals(ours)).toBe(true)
      const text = JSON.stringify(asJson(theirs))
      expect(decodeNdjson(text)).toEqual(event)
      // They write into a Buffer, of which the parts would be Buffers too.
      const message = schema.encode(schema.fromObject(asJson(ours))).finish()
      expect(decodeProtobuf(new Uint8Array(message))).toEqual(event)
    }
    fc.assert(fc.property(traceEventOf(type), check), runs(100))
  })
})

it.each(['pb', 'pb.gz'] as const)('finds every event in a file: %s', async (format) => {
  const folder = join(tempDir(), 'traces')
  const writer = await TraceWriter.open({ folder, format, log: silentLog })
  for (let i = 0; i < 3000; i++) writer.record(numbered(i))
  await writer.close()
  const content = readFileSync(filesIn(folder)[0] as string)
  const reader = protobuf.Reader.create(format === 'pb' ? content : gunzipSync(content))
  const times: string[] = []
  while (reader.pos < reader.len) times.push(String(schema.decodeDelimited(reader).toJSON().timestamp))
  expect(times).toEqual(Array.from({ length: 3000 }, (_, i) => String(numbered(i).timestamp)))
})

it('reads past the records that only that library writes, and says how many', async () => {
  const { peerID, timestamp } = asJson(encodeProtobuf(numbered(0)))
  const completed = { sendTo: peerID, writeDurationNanos: 12_000 }
  const theirs = schema.fromObject({ type: 13, peerID, timestamp, sendRPCCompleted: completed })
  const path = join(tempDir(), 'go.pb')
  writeFileSync(path, Buffer.concat([schema.encodeDelimited(theirs).finish(), encodeProtobuf(numbered(1))]))
  const reader = new TraceReader(path)
  expect(await eventsOf(reader)).toEqual([numbered(1)])
  expect(reader.skipped).toBe(1)
})

it.each(own)('%s is passed over by a reader of the schema', (type) => {
  const check = (event: TraceEvent) => {
    const { type: number, ...rest } = asJson(encodeProtobuf(event))
    expect(number).toBe(TRACE_TYPES[type])
    expect(Object.keys(rest).sort()).toEqual(['peerID', 'timestamp'])
  }
  fc.assert(fc.property(traceEventOf(type), check), runs(50))
})
