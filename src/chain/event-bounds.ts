/** Bounds of an event's fields (protocol §3): they keep index keys short and queries writable. */
import { compareBytes, utf8 } from '../codec/bytes.ts'
import { type EventBody, Outcome } from '../codec/generated/event.ts'

export const MAX_ACTION_BYTES = 64
export const MAX_RESOURCE_KIND_BYTES = 32
export const MAX_RESOURCE_ID_BYTES = 512
export const MAX_ACTOR_NAME_BYTES = 64
/** No key of an index is longer: a resource's, kind ‖ 0x00 ‖ id. */
export const MAX_KEY_BYTES = MAX_RESOURCE_KIND_BYTES + 1 + MAX_RESOURCE_ID_BYTES

const WORD = /^[a-z0-9._-]+$/
const WORD_ACCEPTED = 'characters of a-z, 0-9, ".", "_" and "-"'

/** What is out of bounds, with what would be accepted; undefined if nothing is. */
export function boundsFault(fields: EventBody): string | undefined {
  return (
    timeFault('timestamp', fields.timestamp) ??
    (fields.occurredAt === undefined ? undefined : timeFault('occurred_at', fields.occurredAt)) ??
    wordFault('action', fields.action, MAX_ACTION_BYTES) ??
    wordFault('resource.kind', fields.resource?.kind ?? '', MAX_RESOURCE_KIND_BYTES) ??
    idFault(fields.resource?.id ?? '') ??
    (fields.outcome === Outcome.UNSPECIFIED
      ? 'outcome is unspecified; accepted: SUCCESS, FAILURE, DENIED or PENDING'
      : undefined) ??
    nameFault(fields.actorName ?? '') ??
    metadataFault(fields.metadata)
  )
}

/** The walker holds wire values to this; builders come here first. */
function timeFault(name: string, value: number): string | undefined {
  if (Number.isSafeInteger(value) && value >= 0) return undefined
  return `${name} is ${value}; accepted: Unix milliseconds, 0 … 2^53-1`
}

function wordFault(name: string, value: string, max: number): string | undefined {
  if (value.length <= max && WORD.test(value)) return undefined
  return `${name} is ${JSON.stringify(value.slice(0, 100))}; accepted: 1 to ${max} ${WORD_ACCEPTED}`
}

function idFault(id: string): string | undefined {
  const length = utf8(id).byteLength
  if (length >= 1 && length <= MAX_RESOURCE_ID_BYTES && isWellFormed(id)) return undefined
  return `resource.id is ${length} bytes long; accepted: 1 to ${MAX_RESOURCE_ID_BYTES} bytes of UTF-8`
}

function nameFault(name: string): string | undefined {
  const length = utf8(name).byteLength
  if (length <= MAX_ACTOR_NAME_BYTES && isWellFormed(name)) return undefined
  return `actor_name is ${length} bytes long; accepted: at most ${MAX_ACTOR_NAME_BYTES} bytes of UTF-8`
}

function metadataFault(metadata: EventBody['metadata']): string | undefined {
  let before: Uint8Array | undefined
  for (const { key, value } of metadata) {
    if (!isWellFormed(key) || !isWellFormed(value)) return 'metadata is not UTF-8'
    const bytes = utf8(key)
    if (before !== undefined && compareBytes(before, bytes) >= 0) {
      return `metadata key ${JSON.stringify(key.slice(0, 100))} comes after a key that is not below it; accepted: keys strictly ascending by bytes`
    }
    before = bytes
  }
  return undefined
}

/** A lone surrogate has no UTF-8: it would be encoded as U+FFFD, which is not what the caller signed. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}
