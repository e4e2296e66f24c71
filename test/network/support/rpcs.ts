import type { Connection, Stream } from '@libp2p/interface'
import { encode } from 'it-length-prefixed'
import { concatBytes, utf8 } from '../../../src/codec/bytes.ts'

const LENGTH = 2

/** A protobuf field of bytes. */
export function field(number: number, ...content: Uint8Array[]): Uint8Array {
  const bytes = concatBytes(...content)
  return concatBytes(Uint8Array.of(number * 8 + LENGTH), varint(bytes.byteLength), bytes)
}

export function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let left = value
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128)
  return Uint8Array.from([...bytes, left])
}

/** gossipsub's RPCs, as somebody writes them who keeps to nothing. */
export const rpc = {
  subscribe: (topic: string) => field(1, Uint8Array.of(8, 1), field(2, utf8(topic))),
  message: (topic: string, data: Uint8Array) => field(2, field(2, data), field(4, utf8(topic))),
  ihave: (topic: string, ids: Uint8Array) => field(3, field(1, field(1, utf8(topic)), ids)),
  iwant: (ids: Uint8Array) => field(3, field(2, ids)),
  grafts: (entries: Uint8Array) => field(3, entries),
  idontwant: (ids: Uint8Array) => field(3, field(5, ids))
}

/** Empty fields of a number, as many as `bytes` holds: each is an object for whoever decodes them. */
export function empties(number: number, bytes: number): Uint8Array {
  const all = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at += 2) all[at] = number * 8 + LENGTH
  return all
}

/** A gossip stream of one's own, beside gossipsub's or without it. */
export function gossipStream(connection: Connection): Promise<Stream> {
  return connection.newStream('/meshsub/1.2.0', { maxOutboundStreams: 100 })
}

export function framed(bytes: Uint8Array): Uint8Array {
  return encode.single(bytes, { maxDataLength: bytes.byteLength }).subarray()
}
