/** The events of a gossip message on their way from a worker: where they are in the message, and their ids. */
import { type CheckedEvent, openEvent } from '../chain/event.ts'
import type { EventsMessage } from '../chain/gossip-events.ts'
import { type Checked, refusal } from '../chain/gossip-rules.ts'
import { splitEvents } from '../codec/raw.ts'

export interface PackedEvents {
  /** The message as it was sent, given back. */
  readonly frames: ArrayBuffer
  /** 32 bytes an event; none of a message that is refused. */
  readonly hashes: ArrayBuffer
  /** Start, length and timestamp of each. */
  readonly facts: Float64Array
  /** Index of the validator that vouches for them. */
  readonly voucher: number | undefined
  /** Why it is refused. */
  readonly code: string | undefined
}

const HASH = 32
const FACTS = 3

/** @param payload a view of `frames` */
export function packEvents(frames: ArrayBuffer, payload: Uint8Array, checked: Checked<EventsMessage>): PackedEvents {
  if (!checked.ok) {
    const nothing = { hashes: new ArrayBuffer(0), facts: new Float64Array(0), voucher: undefined }
    return { frames, ...nothing, code: checked.code }
  }
  const { events, voucher } = checked.message
  const hashes = new Uint8Array(HASH * events.length)
  const facts = new Float64Array(FACTS * events.length)
  const parts = splitEvents(payload).events
  for (const [index, { id, timestamp }] of events.entries()) {
    const { byteOffset, byteLength } = parts[index] as Uint8Array
    hashes.set(id, HASH * index)
    facts.set([byteOffset, byteLength, timestamp], FACTS * index)
  }
  return { frames, hashes: hashes.buffer, facts, voucher, code: undefined }
}

/** The inverse. It trusts what it is given: only a worker's answer to this thread's own question. */
export function unpackEvents({ frames, hashes, facts, voucher, code }: PackedEvents): Checked<EventsMessage> {
  if (code !== undefined) return refusal(code)
  const events: CheckedEvent[] = []
  for (let index = 0; FACTS * index < facts.length; index++) {
    const [start, length, timestamp] = facts.subarray(FACTS * index) as unknown as [number, number, number]
    const id = new Uint8Array(hashes, HASH * index, HASH)
    events.push(openEvent(new Uint8Array(frames, start, length), id, timestamp))
  }
  return { ok: true, message: { events, voucher } }
}
