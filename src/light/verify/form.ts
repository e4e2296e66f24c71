/** The form of a proof's parts. What comes here may be anything that decodes: nothing makes these throw. */
import { HASH_BYTES } from '../../chain/domain.ts'
import type { Header } from '../../codec/generated/chain.ts'
import type { SignedEvent } from '../../codec/generated/event.ts'

/** Sizes of trees are below 2⁵³: no path that proves anything is longer, and a longer one is not walked. */
const MAX_PATH = 64
const U32_MAX = 0xffff_ffff

const COUNTS = [
  ['version', U32_MAX],
  ['height', Number.MAX_SAFE_INTEGER],
  ['eventCount', U32_MAX],
  ['timestamp', Number.MAX_SAFE_INTEGER]
] as const
const HASHES = [
  'parentHash',
  'eventsRoot',
  'mmrRoot',
  'stateRoot',
  'validatorsHash',
  'nextValidatorsHash',
  'proposer'
] as const

/** Whether the block hash's layout has a place for every field; then there is one encoding of it. */
export function headerFault(name: string, header: Header | undefined): string | undefined {
  if (!isObject(header)) return `${name} is missing`
  for (const [field, max] of COUNTS) {
    if (!isCount(header[field], max)) return `${name}'s ${field} is ${header[field]}; accepted: 0 to ${max}`
  }
  for (const field of HASHES) {
    if (!isBytes(header[field], HASH_BYTES)) return `${name}'s ${field} is not ${HASH_BYTES} bytes long`
  }
  return undefined
}

/** Lengths alone: the canonical walk of an event is checkEvent's. */
export function eventFault(event: SignedEvent | undefined): string | undefined {
  if (!isObject(event)) return 'event is missing'
  if (!(event.body instanceof Uint8Array)) return 'event has no body'
  if (!isBytes(event.actor, 32)) return "event's actor is not 32 bytes long"
  if (!isBytes(event.signature, 64)) return "event's signature is not 64 bytes long"
  return undefined
}

export function pathFault(name: string, path: readonly Uint8Array[]): string | undefined {
  if (!Array.isArray(path)) return `${name} is missing`
  if (path.length > MAX_PATH) return `${name} has ${path.length} hashes; accepted: at most ${MAX_PATH}`
  const at = path.findIndex((hash: unknown) => !isBytes(hash, HASH_BYTES))
  return at < 0 ? undefined : `hash ${at} of ${name} is not ${HASH_BYTES} bytes long`
}

export function heightFault(name: string, height: number): string | undefined {
  return isCount(height, Number.MAX_SAFE_INTEGER) ? undefined : `${name} is ${height}; accepted: 0 to 2^53-1`
}

export function isCount(value: unknown, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max
}

function isObject<Value>(value: Value | undefined): value is Value {
  return typeof value === 'object' && value !== null
}

function isBytes(value: unknown, length: number): boolean {
  return value instanceof Uint8Array && value.byteLength === length
}
