/** The form of a proof's parts. What comes here may be anything that decodes: nothing makes these throw. */
import { HASH_BYTES } from '../../chain/domain.ts'
import { MAX_PAGE_IDS } from '../../chain/history.ts'
import type { Header } from '../../codec/generated/chain.ts'
import type { SignedEvent } from '../../codec/generated/event.ts'
import type { HistoryPage, KeyProof } from '../../codec/generated/proof.ts'

/** Sizes of trees are below 2⁵³: no path that proves anything is longer, and a longer one is not walked. */
const MAX_PATH = 64
/** A trie is as deep as a key hash is long. */
export const MAX_TRIE_PATH = 8 * HASH_BYTES
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

export function pathFault(name: string, path: readonly Uint8Array[], max = MAX_PATH): string | undefined {
  if (!Array.isArray(path)) return `${name} is missing`
  if (path.length > max) return `${name} has ${path.length} hashes; accepted: at most ${max}`
  const at = path.findIndex((hash: unknown) => !isBytes(hash, HASH_BYTES))
  return at < 0 ? undefined : `hash ${at} of ${name} is not ${HASH_BYTES} bytes long`
}

export function keyProofFault(proof: KeyProof | undefined): string | undefined {
  if (!isObject(proof)) return 'state is missing'
  const { otherRoots, leaf } = proof
  if (Array.isArray(otherRoots) && otherRoots.length !== 2) return `other_roots has ${otherRoots.length} hashes, not 2`
  return (
    heightFault('event_total', proof.eventTotal) ??
    pathFault('other_roots', otherRoots) ??
    pathFault('siblings', proof.siblings, MAX_TRIE_PATH) ??
    (leaf === undefined ? undefined : leafFault(leaf))
  )
}

function leafFault(leaf: NonNullable<KeyProof['leaf']>): string | undefined {
  if (!isObject(leaf)) return 'leaf is none'
  if (!isBytes(leaf.keyHash, HASH_BYTES)) return `leaf's key_hash is not ${HASH_BYTES} bytes long`
  if (!isBytes(leaf.head, HASH_BYTES)) return `leaf's head is not ${HASH_BYTES} bytes long`
  if (leaf.count === 0) return "leaf's count is 0; accepted: 1 to 2^53-1"
  return heightFault("leaf's count", leaf.count)
}

export function historyPagesFault(pages: readonly HistoryPage[]): string | undefined {
  if (!Array.isArray(pages)) return 'pages are missing'
  for (const [at, page] of pages.entries()) {
    if (!isObject(page)) return `page ${at} is missing`
    if (!isBytes(page.prevHead, HASH_BYTES)) return `prev_head of page ${at} is not ${HASH_BYTES} bytes long`
    const fault = pathFault(`page ${at}`, page.ids, MAX_PAGE_IDS)
    if (fault !== undefined) return fault
  }
  return undefined
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
