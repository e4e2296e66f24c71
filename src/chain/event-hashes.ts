/** The hashes that a block's events need, made from their bytes in one pass: ids and index key hashes. */
import { emptyBodySpans, emptyEventSpans, findBodySpans, findEventSpans } from '../codec/event-spans.ts'
import { sha256Into } from '../crypto/sha256.ts'

type Bytes = Uint8Array<ArrayBuffer>

export interface EventHashes {
  /** 32·n bytes: SHA-256(0x00 ‖ actor ‖ signature ‖ body), which are the tree's leaves too. */
  readonly eventIds: Bytes
  /** 96·n bytes: SHA-256 of the actor, resource and action keys of each. */
  readonly keyHashes: Bytes
}

const HASH = 32
const ACTOR = 32
const SIGNATURE = 64

/** @param events encoded SignedEvents, canonical with canonical bodies */
export function hashEvents(events: readonly Uint8Array[]): EventHashes {
  const eventIds = new Uint8Array(HASH * events.length)
  const keyHashes = new Uint8Array(3 * HASH * events.length)
  const spans = emptyEventSpans()
  const parts = emptyBodySpans()
  for (let i = 0; i < events.length; i++) {
    const event = events[i] as Uint8Array
    findEventSpans(event, 0, spans)
    findBodySpans(event, spans.body, spans.bodyEnd, parts)
    idInto(eventIds, event, spans, i)
    const at = 3 * HASH * i
    sha256Into(keyHashes, event.subarray(spans.actor, spans.actor + ACTOR), at)
    // kind ‖ 0x00 ‖ id
    const kindLength = parts.kindEnd - parts.kind
    const key = scratch(kindLength + 1 + parts.idEnd - parts.id)
    key.set(event.subarray(parts.kind, parts.kindEnd), 0)
    key[kindLength] = 0
    key.set(event.subarray(parts.id, parts.idEnd), kindLength + 1)
    sha256Into(keyHashes, key, at + HASH)
    sha256Into(keyHashes, event.subarray(parts.action, parts.actionEnd), at + 2 * HASH)
  }
  return { eventIds, keyHashes }
}

/** `eventIds` alone, whatever the bodies hold. @param events encoded SignedEvents, canonical */
export function hashEventIds(events: readonly Uint8Array[]): Bytes {
  const eventIds = new Uint8Array(HASH * events.length)
  const spans = emptyEventSpans()
  for (let i = 0; i < events.length; i++) {
    const event = events[i] as Uint8Array
    findEventSpans(event, 0, spans)
    idInto(eventIds, event, spans, i)
  }
  return eventIds
}

function idInto(eventIds: Bytes, event: Uint8Array, spans: ReturnType<typeof emptyEventSpans>, i: number): void {
  // 0x00 ‖ actor ‖ signature ‖ body
  const leaf = scratch(1 + ACTOR + SIGNATURE + spans.bodyEnd - spans.body)
  leaf[0] = 0
  leaf.set(event.subarray(spans.actor, spans.actor + ACTOR), 1)
  leaf.set(event.subarray(spans.signature, spans.signature + SIGNATURE), 1 + ACTOR)
  leaf.set(event.subarray(spans.body, spans.bodyEnd), 1 + ACTOR + SIGNATURE)
  sha256Into(eventIds, leaf, HASH * i)
}

let buffer = new Uint8Array(4 << 10)

/** The first `length` bytes of a buffer that is used again: nothing yields between filling and hashing it. */
function scratch(length: number): Bytes {
  if (length > buffer.byteLength) buffer = new Uint8Array(2 * length)
  return buffer.subarray(0, length)
}
