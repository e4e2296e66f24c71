import type { TraceEvent } from './event.ts'
import { encodeNdjson } from './ndjson.ts'
import { encodeProtobuf } from './protobuf.ts'
import { gzipPacker, type Packer, plainPacker } from './zlib-pump.ts'

/** The forms of a trace; each is the extension of its files. */
export const TRACE_FORMATS = ['pb', 'pb.gz', 'ndjson', 'ndjson.gz'] as const
export type TraceFormat = (typeof TRACE_FORMATS)[number]

/** A larger record is neither written nor read: the largest RPC of gossipsub has records of a tenth of it. */
export const MAX_RECORD_BYTES = 4 << 20

export function encoderOf(format: TraceFormat): (event: TraceEvent) => Uint8Array {
  return format.startsWith('pb') ? encodeProtobuf : encodeNdjson
}

export function packerOf(format: TraceFormat): Packer {
  return format.endsWith('.gz') ? gzipPacker() : plainPacker
}
