import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TraceEvent } from '../../src/trace/event.ts'
import { decodeNdjson, encodeNdjson } from '../../src/trace/ndjson.ts'
import { decodeProtobuf, encodeProtobuf } from '../../src/trace/protobuf.ts'
import { runs } from '../support/runs.ts'
import { TYPES, timestamp, traceEventOf } from './support/arbitraries.ts'

const line = (event: TraceEvent) => Buffer.from(encodeNdjson(event)).toString()
const hex = (event: TraceEvent) => Buffer.from(encodeProtobuf(event)).toString('hex')

/** The message behind its length, which must be the shortest form of it. */
function undelimited(record: Uint8Array): Uint8Array {
  let length = 0
  let at = 0
  for (let shift = 0; ; shift += 7) {
    const byte = record[at++] as number
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  expect(record.length - at).toBe(length)
  expect(at).toBe(length < 2 ** 7 ? 1 : length < 2 ** 14 ? 2 : 3)
  return record.subarray(at)
}

describe.each(TYPES)('%s', (type) => {
  it('comes back from protobuf as it was', () => {
    const check = (event: TraceEvent) => {
      expect(decodeProtobuf(undelimited(encodeProtobuf(event)))).toEqual(event)
    }
    fc.assert(fc.property(traceEventOf(type), check), runs(200))
  })

  it('comes back from a line of JSON as it was', () => {
    const check = (event: TraceEvent) => {
      const text = line(event)
      expect(text.indexOf('\n')).toBe(text.length - 1)
      expect(decodeNdjson(text)).toEqual(event)
    }
    fc.assert(fc.property(traceEventOf(type), check), runs(200))
  })
})

const peerId = Uint8Array.of(1, 2, 3)
const peer = Uint8Array.of(0xfb, 0xff)
const messageId = Uint8Array.of(9)
// Odd, and above 2^53: a double would make another number of it.
const time = 1_764_000_000_123_456_789n

describe('known bytes', () => {
  it('writes type 0, and every other field that is there', () => {
    const event = { type: 'PUBLISH_MESSAGE', peerId, timestamp: time, messageId, topic: 't' } as const
    // length 25 | 1: 0 | 2: 010203 | 3: varint of the time | 4: { 1: 09, 2: "t" }
    expect(hex(event)).toBe('19' + '0800' + '1203010203' + '18959a97f9f694bfbd18' + '2206' + '0a0109' + '120174')
    expect(line(event)).toBe(
      '{"type":0,"peerID":"AQID","timestamp":1764000000123456789,"publishMessage":{"messageID":"CQ==","topic":"t"}}\n'
    )
  })

  it('writes a control message as go-libp2p-pubsub does', () => {
    const event: TraceEvent = {
      type: 'RECV_RPC',
      peerId,
      timestamp: 5n,
      peer,
      meta: {
        messages: [{ messageId, topic: 't' }],
        subscriptions: [{ subscribe: false, topic: '<u>' }],
        control: {
          ihave: [{ topic: 't', messageIds: [messageId] }],
          iwant: [{ messageIds: [messageId] }],
          graft: [{ topic: 't' }],
          prune: [{ topic: 't', peers: [peer] }],
          idontwant: [{ messageIds: [messageId, peer] }]
        }
      }
    }
    expect(hex(event)).toBe(
      '48' +
        '0806' +
        '1203010203' +
        '1805' + // type, peerID, timestamp
        '523d' +
        '0a02fbff' +
        '1237' + // recvRPC { receivedFrom, meta {
        '0a06' +
        '0a0109' +
        '120174' + // messages
        '1207' +
        '0800' +
        '12033c753e' + // subscription
        '1a24' +
        '0a06' +
        '0a0174' +
        '120109' + // control { ihave
        '1203' +
        '0a0109' +
        '1a03' +
        '0a0174' + // iwant, graft
        '2207' +
        '0a0174' +
        '1202fbff' + // prune
        '2a07' +
        '0a0109' +
        '0a02fbff' // idontwant
    )
    expect(line(event)).toBe(
      '{"type":6,"peerID":"AQID","timestamp":5,"recvRPC":{"receivedFrom":"+/8=","meta":{' +
        '"messages":[{"messageID":"CQ==","topic":"t"}],"subscription":[{"subscribe":false,"topic":"\\u003cu\\u003e"}],' +
        '"control":{"ihave":[{"topic":"t","messageIDs":["CQ=="]}],"iwant":[{"messageIDs":["CQ=="]}],' +
        '"graft":[{"topic":"t"}],"prune":[{"topic":"t","peers":["+/8="]}],"idontwant":[{"messageIDs":["CQ==","+/8="]}]}}}}\n'
    )
  })

  it('leaves out what is empty, as Go does, and writes a topic that is empty', () => {
    const meta = { messages: [], subscriptions: [], control: undefined }
    const empty = { peerId: new Uint8Array(), timestamp: 0n, peer: new Uint8Array() }
    expect(line({ ...empty, type: 'DROP_RPC', meta })).toBe('{"type":8,"timestamp":0,"dropRPC":{"meta":{}}}\n')
    expect(line({ ...empty, type: 'GRAFT', topic: '' })).toBe('{"type":11,"timestamp":0,"graft":{"topic":""}}\n')
  })

  it('writes its own types with numbers that readers of the schema pass over', () => {
    const scores = { type: 'SCORES', peerId, timestamp: 5n, scores: [{ peer, score: -1.5 }] } as const
    expect(hex(scores)).toBe(
      '1b' + '0864' + '1203010203' + '1805' + 'a2060f' + '0a0d' + '0a02fbff' + '11000000000000f8bf'
    )
    expect(line(scores)).toBe(
      '{"type":100,"peerID":"AQID","timestamp":5,"scores":{"scores":[{"peerID":"+/8=","score":-1.5}]}}\n'
    )
    expect(hex({ type: 'LOST', peerId, timestamp: 5n, count: 300 })).toBe(
      '0f' + '0865' + '1203010203' + '1805' + 'aa0603' + '08ac02'
    )
    expect(line({ type: 'LOST', peerId, timestamp: 5n, count: 300 })).toBe(
      '{"type":101,"peerID":"AQID","timestamp":5,"lost":{"count":300}}\n'
    )
  })
})

describe('what others write', () => {
  const join = { type: 'JOIN', peerId, timestamp: time, topic: 't' }

  it('reads every number of nanoseconds that 64 bits can hold to the digit', () => {
    const check = (nanoseconds: bigint) => {
      const event = decodeNdjson(`{"join":{},"timestamp" : ${nanoseconds} ,"type":9}`)
      expect(event?.timestamp).toBe(nanoseconds)
    }
    fc.assert(fc.property(timestamp, check), runs(500))
  })

  it('takes a timestamp for one only where it is a key', () => {
    const topic = '"timestamp":123456789012345678,"timestamp":1'
    const text = line({ type: 'JOIN', peerId, timestamp: time, topic })
    expect(decodeNdjson(text)).toEqual({ ...join, topic })
  })

  it('reads keys in any order, with spaces, nulls and keys that it does not know', () => {
    const text = ` { "join": {"topic": "t", "x": 1}, "peerID":"AQID", "graft": null, "new": {}, "timestamp":"${time}", "type": 9 } `
    expect(decodeNdjson(text)).toEqual(join)
  })

  it('has no event for a type that it does not know', () => {
    expect(decodeNdjson('{"type":13,"peerID":"AQID","timestamp":5,"new":{"x":1}}')).toBeUndefined()
    expect(decodeProtobuf(Buffer.from('080d' + '1805' + '8a0100', 'hex'))).toBeUndefined()
  })

  it('passes over fields that it does not know', () => {
    const record = undelimited(encodeProtobuf(join as TraceEvent))
    expect(decodeProtobuf(Uint8Array.of(...record, 0xc0, 0x3e, 5, 0xca, 0x3e, 1, 0x61))).toEqual(join)
  })

  it.each([
    ['[]', 'the record is not an object'],
    ['{}', 'it has no type'],
    ['{"type":"x"}', 'type is not an integer'],
    ['{"type":9,"peerID":"%"}', 'peerID is not base64'],
    ['{"type":9,"timestamp":1.5}', 'timestamp is not an integer'],
    ['{"type":9,"timestamp":1e18}', 'timestamp is not an integer'],
    ['{"type":9,"join":[]}', 'join is not an object'],
    ['{"type":9,"join":{"topic":1}}', 'topic is not a string'],
    ['{"type":6,"recvRPC":{"meta":{"messages":{}}}}', 'messages is not a list']
  ])('says what is wrong with %s', (text, fault) => {
    expect(() => decodeNdjson(text)).toThrow(fault)
  })
})
