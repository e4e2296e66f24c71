/** Events in the bytes of protos/trace.proto. Everything is written backwards, lists and fields too (pb-writer.ts). */
import { type ControlMeta, type RpcMeta, TRACE_TYPES, type TraceEvent } from './event.ts'
import { PbWriter } from './pb-writer.ts'

const to = new PbWriter()

/** The event after its length, in bytes that are good until the next call: a buffer for each would cost as much again. */
export function encodeProtobufOnce(event: TraceEvent): Uint8Array {
  to.clear()
  const type = TRACE_TYPES[event.type]
  body(event)
  // The fields of types 0 to 12 have the numbers 4 to 16.
  to.message(type < 100 ? type + 4 : type, 0)
  to.int64(3, event.timestamp)
  to.bytes(2, event.peerId)
  to.integer(1, type)
  return to.delimited()
}

function body(event: TraceEvent): void {
  switch (event.type) {
    case 'PUBLISH_MESSAGE':
      to.text(2, event.topic)
      to.bytes(1, event.messageId)
      break
    case 'REJECT_MESSAGE':
      to.text(4, event.topic)
      to.text(3, event.reason)
      to.bytes(2, event.receivedFrom)
      to.bytes(1, event.messageId)
      break
    case 'DUPLICATE_MESSAGE':
      to.text(3, event.topic)
      to.bytes(2, event.receivedFrom)
      to.bytes(1, event.messageId)
      break
    case 'DELIVER_MESSAGE':
      to.bytes(3, event.receivedFrom)
      to.text(2, event.topic)
      to.bytes(1, event.messageId)
      break
    case 'ON_NEW_OUTBOUND_STREAM':
      to.text(2, event.protocol)
      to.bytes(1, event.peer)
      break
    case 'ON_CLOSED_OUTBOUND_STREAM':
      to.bytes(1, event.peer)
      break
    case 'RECV_RPC':
    case 'SEND_RPC':
    case 'DROP_RPC':
      rpc(event.meta)
      to.message(2, 0)
      to.bytes(1, event.peer)
      break
    case 'JOIN':
      to.text(1, event.topic)
      break
    case 'LEAVE':
      to.text(2, event.topic)
      break
    case 'GRAFT':
    case 'PRUNE':
      to.text(2, event.topic)
      to.bytes(1, event.peer)
      break
    case 'SCORES':
      each(1, event.scores, ({ peer, score }) => {
        to.double(2, score)
        to.bytes(1, peer)
      })
      break
    case 'LOST':
      to.integer(1, event.count)
      break
  }
}

function rpc({ messages, subscriptions, control }: RpcMeta): void {
  if (control !== undefined) {
    const since = to.length
    controls(control)
    to.message(3, since)
  }
  each(2, subscriptions, ({ subscribe, topic }) => {
    to.text(2, topic)
    to.integer(1, subscribe ? 1 : 0)
  })
  each(1, messages, ({ messageId, topic }) => {
    to.text(2, topic)
    to.bytes(1, messageId)
  })
}

function controls({ ihave, iwant, graft, prune, idontwant }: ControlMeta): void {
  each(5, idontwant, ({ messageIds }) => all(1, messageIds))
  each(4, prune, ({ topic, peers }) => {
    all(2, peers)
    to.text(1, topic)
  })
  each(3, graft, ({ topic }) => to.text(1, topic))
  each(2, iwant, ({ messageIds }) => all(1, messageIds))
  each(1, ihave, ({ topic, messageIds }) => {
    all(2, messageIds)
    to.text(1, topic)
  })
}

/** Messages in a list, each by `write`. */
function each<T>(field: number, items: readonly T[], write: (item: T) => void): void {
  for (let i = items.length - 1; i >= 0; i--) {
    const since = to.length
    write(items[i] as T)
    to.message(field, since)
  }
}

function all(field: number, items: readonly Uint8Array[]): void {
  for (let i = items.length - 1; i >= 0; i--) to.bytes(field, items[i] as Uint8Array)
}
