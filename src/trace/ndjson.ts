/**
 * The NDJSON form of a trace, byte for byte as Go's encoding/json writes that struct: bytes in base64, timestamps in digits
 * whatever their size, nothing for absent fields, empty lists and empty bytes, `<`, `>` and `&` escaped.
 */
import type * as wire from '../codec/generated/trace.ts'
import type { TraceEvent } from './event.ts'
import { type ObjectShape, type Shape, TRACE_EVENT } from './json-shape.ts'
import { fromSchema, toSchema } from './schema.ts'

/** The event as a line with its line feed. */
export function encodeNdjson(event: TraceEvent): Uint8Array {
  return Buffer.from(`${write(toSchema(event))}\n`)
}

/**
 * @returns undefined for an event of a type that is not known here
 * @throws Error for what is no event
 */
export function decodeNdjson(line: string): TraceEvent | undefined {
  // A number of JSON.parse is a double, which has no room for nanoseconds since 1970: their digits are made a string first.
  // Inside of a string the quotes would be escaped, so this matches keys only.
  const value: unknown = JSON.parse(line.replace(/"timestamp"\s*:\s*(-?\d+)(?![\d.eE])/g, '"timestamp":"$1"'))
  const message = readObject(TRACE_EVENT, value, 'the record') as unknown as wire.TraceEvent
  if (message.type === undefined) throw new Error('it has no type')
  return fromSchema(message)
}

const ESCAPED = /[<>&\u2028\u2029]/g

function write(value: unknown): string {
  if (value instanceof Uint8Array) return `"${base64(value)}"`
  if (typeof value === 'string') return writeString(value)
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  // JSON has no word for these numbers; protobuf's JSON has these.
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : `"${value}"`
  if (typeof value !== 'object' || value === null) return String(value)
  let text = ''
  for (const [key, field] of Object.entries(value)) {
    if (!isAbsent(field)) text += `${text === '' ? '{' : ','}"${key}":${write(field)}`
  }
  return text === '' ? '{}' : `${text}}`
}

function isAbsent(field: unknown): boolean {
  return field === undefined || ((field instanceof Uint8Array || Array.isArray(field)) && field.length === 0)
}

function writeString(text: string): string {
  return JSON.stringify(text).replace(ESCAPED, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function readObject(shape: ObjectShape, value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unlike(name, 'an object')
  const object: Record<string, unknown> = {}
  for (const key in shape) {
    const inner = shape[key] as Shape
    const field = (value as Record<string, unknown>)[key]
    if (field !== undefined && field !== null) object[key] = read(inner, field, key)
    else if (Array.isArray(inner)) object[key] = []
  }
  return object
}

function read(shape: Shape, value: unknown, name: string): unknown {
  switch (shape) {
    case 'bytes':
      if (typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value)) return fromBase64(value)
      throw unlike(name, 'base64')
    case 'string':
    case 'boolean':
      if (typeof value === shape) return value
      throw unlike(name, `a ${shape}`)
    case 'integer':
      if (Number.isSafeInteger(value)) return value
      throw unlike(name, 'an integer')
    case 'double':
      if (typeof value === 'number') return value
      if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value)
      throw unlike(name, 'a number')
    case 'int64':
      if (typeof value === 'string' && /^-?\d{1,19}$/.test(value)) return BigInt(value)
      throw unlike(name, 'an integer')
  }
  if (!Array.isArray(shape)) return readObject(shape as ObjectShape, value, name)
  if (!Array.isArray(value)) throw unlike(name, 'a list')
  const [item] = shape as readonly [Shape]
  return value.map((element) => read(item, element, name))
}

/** In a buffer of its own: small ones of Buffer are parts of one that lives as long as any of them. */
function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'))
}

function unlike(name: string, what: string): Error {
  return new Error(`${name} is not ${what}`)
}
