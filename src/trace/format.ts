import type { TraceEvent } from './event.ts'
import { encodeNdjson } from './ndjson.ts'
import { encodeProtobufOnce } from './pb-encode.ts'
import { gzipPacker, type Packer, plainPacker } from './zlib-pump.ts'

/** The forms of a trace; each is the extension of its files. */
export const TRACE_FORMATS = ['pb', 'pb.gz', 'ndjson', 'ndjson.gz'] as const
export type TraceFormat = (typeof TRACE_FORMATS)[number]

/** A larger record is neither written nor read: the largest RPC of gossipsub has records of a tenth of it. */
export const MAX_RECORD_BYTES = 4 << 20

/** What it gives is to be copied before it is called again. */
export function encoderOf(format: TraceFormat): (event: TraceEvent) => Uint8Array {
  return format.startsWith('pb') ? encodeProtobufOnce : encodeNdjson
}

export function packerOf(format: TraceFormat): Packer {
  return format.endsWith('.gz') ? gzipPacker() : plainPacker
}
