/**
 * Events as the schema (protos/trace.proto) has them, and back. Both formats are that schema, in protobuf and in JSON, so
 * this is the one place that knows which field of it holds what, but for pb-encode.ts, which is written for its speed.
 */
import type * as wire from '../codec/generated/trace.ts'
import {
  type ControlMeta,
  type RpcMeta,
  TRACE_TYPES,
  type TraceBody,
  type TraceEvent,
  type TraceType
} from './event.ts'

const TYPES = new Map(Object.entries(TRACE_TYPES).map(([name, number]) => [number as number, name as TraceType]))

type Bytes = Uint8Array<ArrayBuffer>

const NO_BYTES = new Uint8Array(0)

export function toSchema(event: TraceEvent): wire.TraceEvent {
  const message: wire.TraceEvent = {
    type: TRACE_TYPES[event.type],
    peerID: event.peerId as Bytes,
    timestamp: event.timestamp
  }
  // Set, not spread into a new object: that costs three times as much as all the rest.
  switch (event.type) {
    case 'PUBLISH_MESSAGE':
      message.publishMessage = { messageID: event.messageId as Bytes, topic: event.topic }
      break
    case 'REJECT_MESSAGE': {
      const { messageId, receivedFrom, reason, topic } = event
      message.rejectMessage = { messageID: messageId as Bytes, receivedFrom: receivedFrom as Bytes, reason, topic }
      break
    }
    case 'DUPLICATE_MESSAGE': {
      const { messageId, receivedFrom, topic } = event
      message.duplicateMessage = { messageID: messageId as Bytes, receivedFrom: receivedFrom as Bytes, topic }
      break
    }
    case 'DELIVER_MESSAGE': {
      const { messageId, receivedFrom, topic } = event
      message.deliverMessage = { messageID: messageId as Bytes, topic, receivedFrom: receivedFrom as Bytes }
      break
    }
    case 'ON_NEW_OUTBOUND_STREAM':
      message.onNewOutboundStream = { peerID: event.peer as Bytes, proto: event.protocol }
      break
    case 'ON_CLOSED_OUTBOUND_STREAM':
      message.onClosedOutboundStream = { peerID: event.peer as Bytes }
      break
    case 'RECV_RPC':
      message.recvRPC = { receivedFrom: event.peer as Bytes, meta: metaToSchema(event.meta) }
      break
    case 'SEND_RPC':
      message.sendRPC = { sendTo: event.peer as Bytes, meta: metaToSchema(event.meta) }
      break
    case 'DROP_RPC':
      message.dropRPC = { sendTo: event.peer as Bytes, meta: metaToSchema(event.meta) }
      break
    case 'JOIN':
      message.join = { topic: event.topic }
      break
    case 'LEAVE':
      message.leave = { topic: event.topic }
      break
    case 'GRAFT':
      message.graft = { peerID: event.peer as Bytes, topic: event.topic }
      break
    case 'PRUNE':
      message.prune = { peerID: event.peer as Bytes, topic: event.topic }
      break
    case 'SCORES':
      message.scores = { scores: event.scores.map(({ peer, score }) => ({ peerID: peer as Bytes, score })) }
      break
    case 'LOST':
      message.lost = { count: event.count }
      break
  }
  return message
}

/** The event, or undefined if its type is none that is known here. What the schema lets be absent is empty or 0. */
export function fromSchema(message: wire.TraceEvent): TraceEvent | undefined {
  const type = message.type === undefined ? undefined : TYPES.get(message.type)
  if (type === undefined) return undefined
  return { peerId: message.peerID ?? NO_BYTES, timestamp: message.timestamp ?? 0n, ...body(type, message) }
}

function body(type: TraceType, message: wire.TraceEvent): TraceBody {
  switch (type) {
    case 'PUBLISH_MESSAGE':
      return { type, ...messageFrom(message.publishMessage) }
    case 'REJECT_MESSAGE': {
      const { rejectMessage } = message
      return { type, ...receivedFrom(rejectMessage), reason: rejectMessage?.reason ?? '' }
    }
    case 'DUPLICATE_MESSAGE':
      return { type, ...receivedFrom(message.duplicateMessage) }
    case 'DELIVER_MESSAGE':
      return { type, ...receivedFrom(message.deliverMessage) }
    case 'ON_NEW_OUTBOUND_STREAM': {
      const { onNewOutboundStream: stream } = message
      return { type, peer: stream?.peerID ?? NO_BYTES, protocol: stream?.proto ?? '' }
    }
    case 'ON_CLOSED_OUTBOUND_STREAM':
      return { type, peer: message.onClosedOutboundStream?.peerID ?? NO_BYTES }
    case 'RECV_RPC':
      return { type, peer: message.recvRPC?.receivedFrom ?? NO_BYTES, meta: metaFrom(message.recvRPC?.meta) }
    case 'SEND_RPC':
      return { type, peer: message.sendRPC?.sendTo ?? NO_BYTES, meta: metaFrom(message.sendRPC?.meta) }
    case 'DROP_RPC':
      return { type, peer: message.dropRPC?.sendTo ?? NO_BYTES, meta: metaFrom(message.dropRPC?.meta) }
    case 'JOIN':
      return { type, topic: message.join?.topic ?? '' }
    case 'LEAVE':
      return { type, topic: message.leave?.topic ?? '' }
    case 'GRAFT':
      return { type, peer: message.graft?.peerID ?? NO_BYTES, topic: message.graft?.topic ?? '' }
    case 'PRUNE':
      return { type, peer: message.prune?.peerID ?? NO_BYTES, topic: message.prune?.topic ?? '' }
    case 'SCORES': {
      const scores = message.scores?.scores ?? []
      return { type, scores: scores.map(({ peerID, score }) => ({ peer: peerID ?? NO_BYTES, score: score ?? 0 })) }
    }
    case 'LOST':
      return { type, count: message.lost?.count ?? 0 }
  }
}

function messageFrom(meta: wire.MessageMeta | undefined): { messageId: Uint8Array; topic: string } {
  return { messageId: meta?.messageID ?? NO_BYTES, topic: meta?.topic ?? '' }
}

function receivedFrom(message: wire.DeliverMessage | undefined) {
  return { ...messageFrom(message), receivedFrom: message?.receivedFrom ?? NO_BYTES }
}

function metaToSchema(meta: RpcMeta): wire.RPCMeta {
  const { messages, subscriptions, control } = meta
  const message: wire.RPCMeta = {
    messages: messages.map(({ messageId, topic }) => ({ messageID: messageId as Bytes, topic })),
    subscription: subscriptions.map(({ subscribe, topic }) => ({ subscribe, topic }))
  }
  if (control !== undefined) message.control = controlToSchema(control)
  return message
}

function controlToSchema({ ihave, iwant, graft, prune, idontwant }: ControlMeta): wire.ControlMeta {
  return {
    ihave: ihave.map(({ topic, messageIds }) => ({ topic, messageIDs: messageIds as Bytes[] })),
    iwant: iwant.map(({ messageIds }) => ({ messageIDs: messageIds as Bytes[] })),
    graft: graft.map(({ topic }) => ({ topic })),
    prune: prune.map(({ topic, peers }) => ({ topic, peers: peers as Bytes[] })),
    idontwant: idontwant.map(({ messageIds }) => ({ messageIDs: messageIds as Bytes[] }))
  }
}

function metaFrom(meta: wire.RPCMeta | undefined): RpcMeta {
  return {
    messages: (meta?.messages ?? []).map(messageFrom),
    subscriptions: (meta?.subscription ?? []).map(({ subscribe = false, topic = '' }) => ({ subscribe, topic })),
    control: meta?.control === undefined ? undefined : controlFrom(meta.control)
  }
}

function controlFrom({ ihave, iwant, graft, prune, idontwant }: wire.ControlMeta): ControlMeta {
  return {
    ihave: ihave.map(({ topic = '', messageIDs }) => ({ topic, messageIds: messageIDs })),
    iwant: iwant.map(({ messageIDs }) => ({ messageIds: messageIDs })),
    graft: graft.map(({ topic = '' }) => ({ topic })),
    prune: prune.map(({ topic = '', peers }) => ({ topic, peers })),
    idontwant: idontwant.map(({ messageIDs }) => ({ messageIds: messageIDs }))
  }
}
