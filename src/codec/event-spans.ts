/**
 * Where the parts of a SignedEvent and of its body are, for the hot path: a full decode of each event costs ten times
 * what hashing it does. Only for bytes that the canonical walker has accepted.
 */

/** Offsets into the buffer that holds the event. One object is filled again and again. */
export interface EventSpans {
  actor: number
  signature: number
  body: number
  bodyEnd: number
}

export interface BodySpans {
  timestamp: number
  action: number
  actionEnd: number
  kind: number
  kindEnd: number
  id: number
  idEnd: number
}

const TAG_ACTION = (3 << 3) | 2
const TAG_RESOURCE = (4 << 3) | 2
const TAG_TIMESTAMP = 1 << 3
const TAG_KIND = (1 << 3) | 2

export function emptyEventSpans(): EventSpans {
  return { actor: 0, signature: 0, body: 0, bodyEnd: 0 }
}

export function emptyBodySpans(): BodySpans {
  return { timestamp: 0, action: 0, actionEnd: 0, kind: 0, kindEnd: 0, id: 0, idEnd: 0 }
}

let at = 0

/** @param start of a canonical SignedEvent: body, actor[32], signature[64], all there */
export function findEventSpans(bytes: Uint8Array, start: number, spans: EventSpans): void {
  at = start + 1
  const length = varint(bytes)
  spans.body = at
  spans.bodyEnd = at + length
  // Each of the two has a tag and a length of one byte.
  spans.actor = spans.bodyEnd + 2
  spans.signature = spans.actor + 32 + 2
}

/** @param start, end of a canonical EventBody; what is absent gets an empty span */
export function findBodySpans(bytes: Uint8Array, start: number, end: number, spans: BodySpans): void {
  spans.timestamp = 0
  spans.action = spans.actionEnd = spans.kind = spans.kindEnd = spans.id = spans.idEnd = start
  at = start
  while (at < end) {
    const tag = bytes[at++] as number
    const value = varint(bytes)
    if ((tag & 7) === 0) {
      if (tag === TAG_TIMESTAMP) spans.timestamp = value
      continue
    }
    const stop = at + value
    if (tag === TAG_ACTION) {
      spans.action = at
      spans.actionEnd = stop
    } else if (tag === TAG_RESOURCE) {
      resource(bytes, stop, spans)
      return // what follows is of no interest here
    }
    at = stop
  }
}

function resource(bytes: Uint8Array, end: number, spans: BodySpans): void {
  while (at < end) {
    const tag = bytes[at++] as number
    const stop = varint(bytes) + at
    if (tag === TAG_KIND) {
      spans.kind = at
      spans.kindEnd = stop
    } else {
      spans.id = at
      spans.idEnd = stop
    }
    at = stop
  }
}

function varint(bytes: Uint8Array): number {
  let byte = bytes[at++] as number
  let value = byte & 0x7f
  for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
    byte = bytes[at++] as number
    value += (byte & 0x7f) * scale
  }
  return value
}
