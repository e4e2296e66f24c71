import { concatBytes, utf8 } from '../codec/bytes.ts'
import { assertCanonical } from '../codec/canonical.ts'
import { emptyBodySpans, emptyEventSpans, findBodySpans, findEventSpans } from '../codec/event-spans.ts'
import { EventBody, SignedEvent } from '../codec/generated/event.ts'
import { EVENT_BODY, SIGNED_EVENT } from '../codec/rules.ts'
import { type KeyPair, sign, verify } from '../crypto/ed25519.ts'
import { sha256 } from '../crypto/sha256.ts'
import { MolochError, messageOf } from '../error.ts'
import { eventMessage } from './domain.ts'
import { boundsFault } from './event-bounds.ts'
import type { EventFailureCode } from './failures.ts'
import type { Params } from './params.ts'

export { EventBody, Outcome } from '../codec/generated/event.ts'

declare const checked: unique symbol

/** An event that is canonical and within bounds; whether its signature is valid is asked for apart. */
export interface CheckedEvent {
  readonly [checked]: true
  /** `event_id`, also the leaf hash in the block's tree. */
  readonly id: Uint8Array<ArrayBuffer>
  /** The encoded SignedEvent; a copy of its own, so that keeping it keeps no frame alive. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly actor: Uint8Array<ArrayBuffer>
  readonly signature: Uint8Array<ArrayBuffer>
  readonly body: Uint8Array<ArrayBuffer>
  readonly fields: EventBody
  /** Of `fields`, Unix ms. */
  readonly timestamp: number
}

const LEAF_PREFIX = Uint8Array.of(0)
const KEY_SEPARATOR = Uint8Array.of(0)

export function eventId(actor: Uint8Array, signature: Uint8Array, body: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(concatBytes(LEAF_PREFIX, actor, signature, body))
}

/**
 * Everything about an event that needs neither its chain nor a clock, but for the signature.
 * @throws MolochError EVENT_TOO_LARGE | EVENT_MALFORMED | EVENT_BOUNDS
 */
export function checkEvent(bytes: Uint8Array, params: Params): CheckedEvent {
  if (bytes.byteLength > params.maxEventBytes) {
    throw eventError('EVENT_TOO_LARGE', `event is ${bytes.byteLength} bytes; accepted: at most ${params.maxEventBytes}`)
  }
  const own = new Uint8Array(bytes)
  const { actor, signature, body } = decodeEvent(own)
  const fields = EventBody.decode(body)
  const fault = boundsFault(fields)
  if (fault !== undefined) throw eventError('EVENT_BOUNDS', `event's ${fault}`)
  const id = eventId(actor, signature, body)
  return { id, bytes: own, actor, signature, body, fields, timestamp: fields.timestamp } as CheckedEvent
}

/**
 * An event that `checkEvent` has accepted, in another thread say: it is not looked at again. What is in its body is decoded
 * when it is asked for: of tens of thousands that wait hardly any is, and an object for each of their fields would take
 * several times the memory of the bytes.
 * @param bytes copied
 * @param id copied
 */
export function openEvent(bytes: Uint8Array, id: Uint8Array, timestamp: number): CheckedEvent {
  return new OpenEvent(bytes, id, timestamp) as unknown as CheckedEvent
}

class OpenEvent implements Omit<CheckedEvent, typeof checked> {
  readonly id: Uint8Array<ArrayBuffer>
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly timestamp: number

  constructor(bytes: Uint8Array, id: Uint8Array, timestamp: number) {
    this.bytes = new Uint8Array(bytes)
    this.id = new Uint8Array(id)
    this.timestamp = timestamp
  }

  get actor(): Uint8Array<ArrayBuffer> {
    findEventSpans(this.bytes, 0, spans)
    return this.bytes.subarray(spans.actor, spans.actor + 32)
  }

  get signature(): Uint8Array<ArrayBuffer> {
    findEventSpans(this.bytes, 0, spans)
    return this.bytes.subarray(spans.signature, spans.signature + 64)
  }

  get body(): Uint8Array<ArrayBuffer> {
    findEventSpans(this.bytes, 0, spans)
    return this.bytes.subarray(spans.body, spans.bodyEnd)
  }

  get fields(): EventBody {
    return EventBody.decode(this.body)
  }
}

const spans = emptyEventSpans()

function decodeEvent(bytes: Uint8Array): SignedEvent {
  try {
    assertCanonical(SIGNED_EVENT, bytes)
    const event = SignedEvent.decode(bytes)
    assertCanonical(EVENT_BODY, event.body)
    return event
  } catch (cause) {
    throw eventError('EVENT_MALFORMED', messageOf(cause))
  }
}

function eventError(code: EventFailureCode, message: string): MolochError<EventFailureCode> {
  return new MolochError(code, message)
}

export function verifyEventSignature(
  genesisHash: Uint8Array,
  event: { readonly actor: Uint8Array; readonly signature: Uint8Array; readonly body: Uint8Array }
): boolean {
  return verify(event.actor, eventMessage(genesisHash, event.body), event.signature)
}

/** @throws MolochError EVENT_BOUNDS | EVENT_MALFORMED: what nobody would accept is not signed */
export function signEvent(genesisHash: Uint8Array, key: KeyPair, fields: EventBody): CheckedEvent {
  const fault = boundsFault(fields)
  if (fault !== undefined) throw eventError('EVENT_BOUNDS', `event's ${fault}`)
  const body = EventBody.encode(fields)
  try {
    assertCanonical(EVENT_BODY, body)
  } catch (cause) {
    throw eventError('EVENT_MALFORMED', messageOf(cause))
  }
  const actor = new Uint8Array(key.publicKey)
  const signature = sign(key, eventMessage(genesisHash, body))
  const bytes = SignedEvent.encode({ body, actor, signature })
  const id = eventId(actor, signature, body)
  return { id, bytes, actor, signature, body, fields, timestamp: fields.timestamp } as CheckedEvent
}

/** The keys under which the three indexes of protocol §6 hold an event. */
export type IndexKeys = readonly [actor: Uint8Array, resource: Uint8Array, action: Uint8Array]

export function indexKeys(event: { readonly actor: Uint8Array; readonly fields: EventBody }): IndexKeys {
  const { resource, action } = event.fields
  return [event.actor, resourceKey(resource?.kind ?? '', resource?.id ?? ''), utf8(action)]
}

/** Key of the resource index: kind ‖ 0x00 ‖ id. No kind holds a zero byte, so the key is unambiguous. */
export function resourceKey(kind: string, id: string): Uint8Array<ArrayBuffer> {
  return concatBytes(utf8(kind), KEY_SEPARATOR, utf8(id))
}

/**
 * The same keys from the encoded event, without decoding it; copies.
 * @param bytes an encoded SignedEvent out of a checked block
 */
export function indexKeysOf(bytes: Uint8Array): IndexKeys {
  const spans = emptyEventSpans()
  const body = emptyBodySpans()
  findEventSpans(bytes, 0, spans)
  findBodySpans(bytes, spans.body, spans.bodyEnd, body)
  return [
    bytes.slice(spans.actor, spans.actor + 32),
    concatBytes(bytes.subarray(body.kind, body.kindEnd), KEY_SEPARATOR, bytes.subarray(body.id, body.idEnd)),
    bytes.slice(body.action, body.actionEnd)
  ]
}
