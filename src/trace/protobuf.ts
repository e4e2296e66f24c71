/** The protobuf form of a trace: each event's length as a varint, then the event. */
import * as wire from '../codec/generated/trace.ts'
import type { TraceEvent } from './event.ts'
import { encodeProtobufOnce } from './pb-encode.ts'
import { fromSchema } from './schema.ts'

/** The event after its length. */
export function encodeProtobuf(event: TraceEvent): Uint8Array {
  return encodeProtobufOnce(event).slice()
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
