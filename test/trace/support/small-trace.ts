import type { TraceBody, TraceEvent } from '../../../src/trace/event.ts'
import { byTime, messageId, peer, rpc, START } from './gossip-network.ts'

/** Three nodes and two topics, small enough to count by hand; measures-by-hand.test.ts has what it comes to. */
export const BLOCKS = '/moloch/demo/blocks/1'
export const VOTES = '/moloch/demo/votes/1'
const [A, B, C, D] = [peer(1), peer(2), peer(3), peer(4)] as const

const records: TraceEvent[] = []
function at(node: Uint8Array, ms: number, body: TraceBody): void {
  records.push({ peerId: node, timestamp: START + BigInt(ms * 1e6), ...body } as TraceEvent)
}

for (const node of [A, B, C]) at(node, 0, { type: 'JOIN', topic: BLOCKS })
at(A, 0, { type: 'JOIN', topic: VOTES })
at(A, 100, { type: 'GRAFT', peer: B, topic: BLOCKS })
at(B, 100, { type: 'GRAFT', peer: A, topic: BLOCKS })
at(B, 200, { type: 'GRAFT', peer: C, topic: BLOCKS })
at(C, 200, { type: 'GRAFT', peer: B, topic: BLOCKS })

// Block 1: A to B in 10 ms, B to C in 20 more; B gets it once more after 5 ms, C after 1 ms and again.
const block1 = { messageId: messageId(1), topic: BLOCKS }
at(A, 1000, { type: 'PUBLISH_MESSAGE', ...block1 })
at(B, 1010, { type: 'DELIVER_MESSAGE', ...block1, receivedFrom: A })
at(B, 1015, { type: 'DUPLICATE_MESSAGE', ...block1, receivedFrom: C })
at(C, 1030, { type: 'DELIVER_MESSAGE', ...block1, receivedFrom: B })
at(C, 1031, { type: 'DUPLICATE_MESSAGE', ...block1, receivedFrom: A })
at(C, 1040, { type: 'DUPLICATE_MESSAGE', ...block1, receivedFrom: D })

// Block 2, whose publisher is not traced: C first, then A; B hears of it, asks, and gets it.
const block2 = { messageId: messageId(2), topic: BLOCKS }
at(C, 2000, { type: 'DELIVER_MESSAGE', ...block2, receivedFrom: D })
at(A, 2008, { type: 'DELIVER_MESSAGE', ...block2, receivedFrom: B })
const ids = [messageId(2), messageId(9)]
at(B, 2500, { type: 'RECV_RPC', peer: C, meta: rpc({ control: { ihave: [{ topic: BLOCKS, messageIds: ids }] } }) })
at(B, 2501, { type: 'SEND_RPC', peer: C, meta: rpc({ control: { iwant: [{ messageIds: ids }] } }) })
at(B, 2600, { type: 'RECV_RPC', peer: C, meta: rpc({ messages: [block2] }) })
at(B, 2600, { type: 'DELIVER_MESSAGE', ...block2, receivedFrom: C })

// Block 3: bad, and nobody delivers it.
at(B, 3000, {
  type: 'REJECT_MESSAGE',
  messageId: messageId(3),
  topic: BLOCKS,
  receivedFrom: D,
  reason: 'bad signature'
})
at(C, 3001, {
  type: 'REJECT_MESSAGE',
  messageId: messageId(3),
  topic: BLOCKS,
  receivedFrom: B,
  reason: 'bad signature'
})

// Block 4 comes to no node but its publisher, and C has left.
at(B, 3500, { type: 'ON_CLOSED_OUTBOUND_STREAM', peer: A })
at(C, 3600, { type: 'LEAVE', topic: BLOCKS })
at(A, 4000, { type: 'PUBLISH_MESSAGE', messageId: messageId(4), topic: BLOCKS })
at(A, 4000, { type: 'DELIVER_MESSAGE', messageId: messageId(4), topic: BLOCKS, receivedFrom: A })

at(A, 4500, { type: 'PRUNE', peer: B, topic: BLOCKS })
at(A, 4500, {
  type: 'SEND_RPC',
  peer: B,
  meta: rpc({
    messages: [block1],
    control: { prune: [{ topic: BLOCKS, peers: [] }], idontwant: [{ messageIds: ids }] }
  })
})
at(A, 4600, { type: 'SEND_RPC', peer: B, meta: rpc({ subscriptions: [{ subscribe: true, topic: VOTES }] }) })
at(A, 4700, { type: 'DROP_RPC', peer: D, meta: rpc({ messages: [block1] }) })
at(A, 6000, { type: 'SCORES', scores: [{ peer: B, score: 1 }] })

export const SMALL_TRACE: readonly TraceEvent[] = byTime(records)
