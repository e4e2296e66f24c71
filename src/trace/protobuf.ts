/** The protobuf form of a trace: each event's length as a varint, then the event. */
import * as wire from '../codec/generated/trace.ts'
import type { TraceEvent } from './event.ts'
import { fromSchema, toSchema } from './schema.ts'

/** The event after its length. */
export function encodeProtobuf(event: TraceEvent): Uint8Array {
  const message = wire.TraceEvent.encode(toSchema(event))
  const { length } = message
  let head = 1
  for (let rest = length; rest >= 0x80; rest >>>= 7) head++
  const record = new Uint8Array(head + length)
  for (let at = 0; at < head; at++) record[at] = ((length >>> (7 * at)) & 0x7f) | (at < head - 1 ? 0x80 : 0)
  record.set(message, head)
  return record
}

/**
 * @param message an event without its length
 * @returns undefined for an event of a type that is not known here
 * @throws Error for what is no event
 */
export function decodeProtobuf(message: Uint8Array): TraceEvent | undefined {
  const decoded = wire.TraceEvent.decode(message)
  // Every writer of the schema writes the type, 0 as well. The decoder takes a field of any wire type for its own.
  if (decoded.type === undefined) throw new Error('it has no type')
  return fromSchema(decoded)
}
