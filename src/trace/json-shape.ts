/** The schema's keys in JSON, and what each of them holds. */
export type Shape = 'bytes' | 'string' | 'boolean' | 'integer' | 'double' | 'int64' | readonly [Shape] | ObjectShape
export interface ObjectShape {
  readonly [key: string]: Shape
}

const ids = { messageIDs: ['bytes'] } as const
const message = { messageID: 'bytes', topic: 'string' } as const
const received = { ...message, receivedFrom: 'bytes' } as const
const peer = { peerID: 'bytes', topic: 'string' } as const
const topic = { topic: 'string' } as const

const meta = {
  messages: [message],
  subscription: [{ subscribe: 'boolean', topic: 'string' }],
  control: {
    ihave: [{ topic: 'string', ...ids }],
    iwant: [ids],
    graft: [topic],
    prune: [{ topic: 'string', peers: ['bytes'] }],
    idontwant: [ids]
  }
} as const

export const TRACE_EVENT: ObjectShape = {
  type: 'integer',
  peerID: 'bytes',
  timestamp: 'int64',
  publishMessage: message,
  rejectMessage: { ...received, reason: 'string' },
  duplicateMessage: received,
  deliverMessage: received,
  onNewOutboundStream: { peerID: 'bytes', proto: 'string' },
  onClosedOutboundStream: { peerID: 'bytes' },
  recvRPC: { receivedFrom: 'bytes', meta },
  sendRPC: { sendTo: 'bytes', meta },
  dropRPC: { sendTo: 'bytes', meta },
  join: topic,
  leave: topic,
  graft: peer,
  prune: peer,
  scores: { scores: [{ peerID: 'bytes', score: 'double' }] },
  lost: { count: 'integer' }
}
