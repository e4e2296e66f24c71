/**
 * Strict walk over the wire form of a message (protocol §5). Blocks and events are kept, served and hashed as the bytes
 * they came in, and protobuf lets many byte strings decode to one message: whoever accepted more than one of them would
 * let a relay make new "different" copies of what others have signed.
 *
 * Accepted is exactly what encoding the decoded message gives back: ascending fields, minimal varints, no unknown
 * fields, no repeated singular fields, no default-valued scalars (except `optional` ones), nothing trailing; and more
 * than that: fixed byte lengths, valid UTF-8, integers ≤ 2⁵³−1, required messages present.
 */
import { MolochError } from '../error.ts'
import type { FieldRule, MessageRule } from './rules.ts'
import { isUtf8 } from './utf8.ts'

const WIRE_VARINT = 0
const WIRE_LENGTH = 2

const HASH_BYTES = 32

// Where the walk is. A module variable, as walks are synchronous and a result object for each varint would cost more
// than reading it.
let at = 0

/** @throws MolochError NON_CANONICAL that names the field and the fault */
export function assertCanonical(rule: MessageRule, bytes: Uint8Array): void {
  walk(rule, bytes, 0, bytes.byteLength)
}

/** The same over bytes[start, end), without making a view. */
export function assertCanonicalRange(rule: MessageRule, bytes: Uint8Array, start: number, end: number): void {
  walk(rule, bytes, start, end)
}

function walk(rule: MessageRule, bytes: Uint8Array, start: number, end: number): void {
  const { fields } = rule
  let last = 0
  let seen = 0
  at = start
  while (at < end) {
    const tag = readVarint(rule, bytes, end)
    // All field numbers of the chain are below 16: a tag of one byte.
    const number = tag < 0x80 ? tag >>> 3 : 0
    const field = fields[number]
    if (field === undefined) throw fault(rule, `unknown field with tag ${tag}`)
    if (number < last) throw fault(rule, `${field.name} comes after a field with a higher number`)
    if (number === last && !isRepeated(field)) {
      throw fault(rule, `${field.name} is there twice`)
    }
    last = number
    seen |= 1 << number
    const wire = tag & 7
    if (wire !== (field.kind === 'varint' ? WIRE_VARINT : WIRE_LENGTH)) {
      throw fault(rule, `${field.name} has wire type ${wire}`)
    }
    const value = readVarint(rule, bytes, end)
    if (field.kind === 'varint') {
      if (value > field.max) throw fault(rule, `${field.name} is ${value}; accepted: at most ${field.max}`)
      if (value === 0 && field.optional !== true) throw fault(rule, `${field.name} is written though it is 0`)
      continue
    }
    // `value` is a length; compared without adding, as a sum could pass 2⁵³.
    if (value > end - at) throw fault(rule, `${field.name} is ${value} bytes long, ${end - at} are left`)
    const stop = at + value
    content(rule, field, bytes, at, stop)
    at = stop
  }
  if ((seen & rule.required) !== rule.required) {
    const missing = fields.find((_, number) => (rule.required & ~seen & (1 << number)) !== 0)
    throw fault(rule, `${missing?.name} is missing`)
  }
}

function content(rule: MessageRule, field: FieldRule, bytes: Uint8Array, start: number, end: number): void {
  const length = end - start
  switch (field.kind) {
    case 'message':
      walk(field.rule, bytes, start, end)
      return
    case 'string':
      if (length === 0 && field.optional !== true) throw fault(rule, `${field.name} is written though it is empty`)
      if (!isUtf8(bytes, start, end)) throw fault(rule, `${field.name} is not valid UTF-8`)
      return
    case 'bytes':
      // A length of 0 means that the field should have been left out.
      if (length === 0 || !field.lengths.includes(length)) {
        throw fault(rule, `${field.name} is ${length} bytes long; accepted: ${field.lengths.join(' or ')}`)
      }
      return
    case 'hashes':
      // Each one is written, whatever its length: an empty one would not be left out.
      if (length !== HASH_BYTES) throw fault(rule, `${field.name} has ${length} bytes; accepted: ${HASH_BYTES} each`)
      return
    case 'blob':
      if (length === 0) throw fault(rule, `${field.name} is written though it is empty`)
  }
}

function isRepeated(field: FieldRule): boolean {
  return field.kind === 'hashes' || (field.kind === 'message' && field.repeated === true)
}

/** Reads a varint of at most 2⁵³−1 in its shortest form, moving `at` behind it. */
function readVarint(rule: MessageRule, bytes: Uint8Array, end: number): number {
  if (at >= end) throw fault(rule, 'ends inside a field')
  let byte = bytes[at++] as number
  if (byte < 0x80) return byte
  let value = byte & 0x7f
  // Multiplied, not shifted: shifts are on 32 bits.
  let scale = 0x80
  do {
    if (at >= end) throw fault(rule, 'ends inside a number')
    byte = bytes[at++] as number
    value += (byte & 0x7f) * scale
    scale *= 0x80
    // Checked on each byte, so the loop ends after eight.
    if (value > Number.MAX_SAFE_INTEGER || scale > 2 ** 56) throw fault(rule, 'a number is above 2^53-1')
  } while (byte >= 0x80)
  if (byte === 0) throw fault(rule, 'a number is not in its shortest form')
  return value
}

function fault(rule: MessageRule, what: string): MolochError<'NON_CANONICAL'> {
  return new MolochError('NON_CANONICAL', `${rule.name}: ${what}`)
}
