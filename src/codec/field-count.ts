/**
 * A cheap look at a protobuf message before it is decoded: decoding makes an object of every field, and limits that hold
 * for each repeated field multiply with each other. Counted is all that decoding would touch, on all levels together, and
 * counting ends at the limit.
 *
 * It is stricter than decoders are, where these would else read another message than was counted: ours do not look at the
 * wire type of a field that they know, and take ten bytes for a tag, a length or a 32-bit number that has more than five.
 */
import { MolochError } from '../error.ts'
import type { MessageRule } from './rules.ts'

const U32_MAX = 0xffff_ffff

const WIRE_VARINT = 0
const WIRE_FIXED64 = 1
const WIRE_LENGTH = 2
const WIRE_FIXED32 = 5

/** Bytes of the longest number of 32 bits and of 64. */
const MAX_U32_BYTES = 5
const MAX_U64_BYTES = 10

/** The fields of a message by number: numbers, byte strings and texts, and messages within it. */
export interface Shape {
  readonly [field: number]: 'u32' | 'u64' | 'bytes' | Shape
}

/** The shape of a message that has a canonical form. */
export function shapeOf({ fields }: MessageRule): Shape {
  const shape: Record<number, Shape[number]> = {}
  fields.forEach((field, number) => {
    if (field === undefined) return
    if (field.kind === 'message') shape[number] = shapeOf(field.rule)
    else if (field.kind === 'varint') shape[number] = field.max > U32_MAX ? 'u64' : 'u32'
    else shape[number] = 'bytes'
  })
  return shape
}

interface Walk {
  readonly bytes: Uint8Array
  readonly max: number
  at: number
  count: number
}

/** @returns how many fields it has @throws MolochError BAD_WIRE for more than `max` of them, or what is no protobuf */
export function countFields(bytes: Uint8Array, shape: Shape, max: number): number {
  const walk = { bytes, max, at: 0, count: 0 }
  message(walk, shape, bytes.byteLength)
  return walk.count
}

function message(walk: Walk, shape: Shape, end: number): void {
  while (walk.at < end) {
    walk.count += 1
    if (walk.count > walk.max) throw fault(`more than ${walk.max} fields`)
    const tag = varint(walk, end, MAX_U32_BYTES)
    const [number, wire] = [Math.floor(tag / 8), tag % 8]
    const kind = shape[number]
    const isNumber = kind === 'u32' || kind === 'u64'
    if (kind !== undefined && wire !== (isNumber ? WIRE_VARINT : WIRE_LENGTH)) {
      throw fault(`field ${number} has wire type ${wire}`)
    }
    if (wire === WIRE_VARINT) {
      varint(walk, end, kind === 'u32' ? MAX_U32_BYTES : MAX_U64_BYTES)
      continue
    }
    const length = lengthOf(wire, walk, end)
    if (length > end - walk.at) throw fault(`a field of ${length} bytes, ${end - walk.at} are left`)
    if (typeof kind === 'object') message(walk, kind, walk.at + length)
    else walk.at += length
  }
}

function lengthOf(wire: number, walk: Walk, end: number): number {
  if (wire === WIRE_LENGTH) return varint(walk, end, MAX_U32_BYTES)
  if (wire === WIRE_FIXED64) return 8
  if (wire === WIRE_FIXED32) return 4
  throw fault(`wire type ${wire}`)
}

function varint(walk: Walk, end: number, maxBytes: number): number {
  let value = 0
  let scale = 1
  for (let read = 0; read < maxBytes; read += 1) {
    if (walk.at >= end) throw fault('it ends inside a field')
    const byte = walk.bytes[walk.at++] as number
    value += (byte & 0x7f) * scale
    scale *= 0x80
    if (byte >= 0x80) continue
    if (maxBytes === MAX_U32_BYTES && value > U32_MAX) break
    return value
  }
  throw fault('a number that is too large')
}

function fault(what: string): MolochError<'BAD_WIRE'> {
  return new MolochError('BAD_WIRE', `no message that can be read: ${what}`)
}
