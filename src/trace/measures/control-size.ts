import type { ControlMeta, RpcMeta } from '../event.ts'
import type { ControlKind } from './gossip-stats.ts'

/**
 * What the parts of an RPC that are no messages take in gossipsub's protobuf. A trace has not all that a PRUNE holds:
 * its backoff is taken to be below 128 s (gossipsub's are 60 s and 10 s), one byte, and signed peer records are left out.
 */
export interface ControlPart {
  count: number
  ids: number
  bytes: number
}

const BACKOFF_BYTES = 2

/** Adds to `parts` what the RPC holds, and returns the bytes added in all. */
export function addControl(meta: RpcMeta, parts: Record<ControlKind, ControlPart>): number {
  let total = 0
  for (const { topic } of meta.subscriptions) total += put(parts.subscriptions, 2 + textField(topic), 0)
  if (meta.control === undefined) return total
  const inside = addInControl(meta.control, parts)
  const envelope = field(inside) - inside
  parts.envelope.count++
  parts.envelope.bytes += envelope
  return total + inside + envelope
}

function addInControl(control: ControlMeta, parts: Record<ControlKind, ControlPart>): number {
  let total = 0
  for (const { topic, messageIds } of control.ihave) {
    total += put(parts.ihave, textField(topic) + idFields(messageIds), messageIds.length)
  }
  for (const { messageIds } of control.iwant) total += put(parts.iwant, idFields(messageIds), messageIds.length)
  for (const { topic } of control.graft) total += put(parts.graft, textField(topic), 0)
  for (const { topic, peers } of control.prune) {
    let body = textField(topic) + BACKOFF_BYTES
    for (const peer of peers) body += field(field(peer.byteLength))
    total += put(parts.prune, body, 0)
  }
  for (const { messageIds } of control.idontwant) total += put(parts.idontwant, idFields(messageIds), messageIds.length)
  return total
}

function put(part: ControlPart, body: number, ids: number): number {
  const bytes = field(body)
  part.count++
  part.ids += ids
  part.bytes += bytes
  return bytes
}

function idFields(ids: readonly Uint8Array[]): number {
  let bytes = 0
  for (const id of ids) bytes += field(id.byteLength)
  return bytes
}

function textField(text: string): number {
  return field(Buffer.byteLength(text))
}

/** A field of `length` bytes, with a tag of one byte and its length as varint. */
function field(length: number): number {
  let bytes = 2 + length
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) bytes++
  return bytes
}
