import { fromHex } from '../codec/bytes.ts'
import { SignedEvent } from '../codec/generated/event.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../crypto/ed25519.ts'
import type { MolochError } from '../error.ts'
import { MAX_BATCH_EVENTS } from './limits.ts'
import { apiError } from './problem.ts'

/** What a POST /v1/events carries: encoded SignedEvents, and whether the caller sent a list. */
export interface Submission {
  readonly batch: boolean
  readonly events: readonly Uint8Array[]
}

const ACCEPTED =
  '{"body": base64, "actor": 64 hex digits, "signature": 128 hex digits}, {"events": [...]} of them, or a SignedEvent as application/x-protobuf'

/** @throws MolochError BAD_REQUEST, one line naming the field and what is accepted */
export function readSubmission(body: unknown): Submission {
  if (Buffer.isBuffer(body)) return { batch: false, events: [new Uint8Array(body)] }
  if (!isObject(body)) throw refused('the body is no object')
  if (!('events' in body)) return { batch: false, events: [readEvent(body, '')] }
  const { events } = body
  if (Object.keys(body).length > 1) throw refused('beside events there is another key')
  if (!Array.isArray(events) || events.length === 0 || events.length > MAX_BATCH_EVENTS) {
    throw refused(`events is no list of 1 to ${MAX_BATCH_EVENTS}`)
  }
  return { batch: true, events: events.map((event, index) => readEvent(event, `events[${index}]`)) }
}

function readEvent(value: unknown, path: string): Uint8Array {
  if (!isObject(value)) throw refused(`${path} is no object`)
  const at = path === '' ? '' : `${path}.`
  for (const key of Object.keys(value)) {
    if (key !== 'body' && key !== 'actor' && key !== 'signature') throw refused(`unknown key ${at}${key.slice(0, 60)}`)
  }
  const body = base64(value.body)
  if (body === undefined) throw refused(`${at}body is no base64`)
  const actor = hex(value.actor, PUBLIC_KEY_BYTES)
  if (actor === undefined) throw refused(`${at}actor is no ${PUBLIC_KEY_BYTES} bytes of hex`)
  const signature = hex(value.signature, SIGNATURE_BYTES)
  if (signature === undefined) throw refused(`${at}signature is no ${SIGNATURE_BYTES} bytes of hex`)
  return SignedEvent.encode({ body, actor, signature })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hex(value: unknown, length: number): Uint8Array<ArrayBuffer> | undefined {
  const bytes = typeof value === 'string' ? fromHex(value, length) : undefined
  return bytes === undefined ? undefined : new Uint8Array(bytes)
}

/** Node's decoder skips what it does not know; here that is an error. */
function base64(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof value !== 'string') return undefined
  const bytes = Buffer.from(value, 'base64')
  return bytes.toString('base64') === value ? new Uint8Array(bytes) : undefined
}

function refused(what: string): MolochError {
  return apiError('BAD_REQUEST', `${what}; accepted: ${ACCEPTED}`)
}
