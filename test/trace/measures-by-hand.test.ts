import { expect, test } from 'vitest'
import { measureTraces } from '../../src/trace/measures/gossip-measures.ts'
import { peerText } from '../../src/trace/measures/keys.ts'
import { peer } from './support/gossip-network.ts'
import { BLOCKS, SMALL_TRACE, VOTES } from './support/small-trace.ts'

const [A, B, C, D] = [1, 2, 3, 4].map((n) => peerText(Buffer.from(peer(n)).toString('latin1'))) as string[]
const none = { count: 0, ids: 0, bytes: 0 }
const noDelays = { count: 0, mean: null, p50: null, p90: null, p99: null, max: null, cdf: [] }

const blocks = {
  // Blocks 1, 2 and 4; 3 was only rejected.
  messages: 3,
  published: 2,
  delivered: 5,
  duplicates: 3,
  rejected: 2,
  rejected_by_reason: { 'bad signature': 2 },
  // At A, B, C for block 1: 0, 1, 2; for block 2: 0, 0, 0; at A for block 4: 0.
  duplicates_per_message: {
    count: 7,
    mean: 3 / 7,
    p50: 0,
    p90: 2,
    p99: 2,
    max: 2,
    values: [
      { duplicates: 0, messages: 5 },
      { duplicates: 1, messages: 1 },
      { duplicates: 2, messages: 1 }
    ]
  },
  time_to_first_duplicate: {
    count: 2,
    mean: 3,
    // 1 000 000 and 5 000 000 ns with their 11 highest bits.
    p50: 0.999936,
    p90: 4.99712,
    p99: 4.99712,
    max: 5,
    cdf: [
      { delay_ms: 0.999936, share: 0.5 },
      { delay_ms: 4.99712, share: 1 }
    ]
  },
  // Block 1: 10 and 30 ms; block 2 from the first sighting, at C: 8 and 600 ms.
  propagation_delay: {
    count: 4,
    mean: 162,
    p50: 9.99424,
    p90: 599.785472,
    p99: 599.785472,
    max: 600,
    cdf: [
      { delay_ms: 7.999488, share: 0.25 },
      { delay_ms: 9.99424, share: 0.5 },
      { delay_ms: 29.999104, share: 0.75 },
      { delay_ms: 599.785472, share: 1 }
    ],
    from_publish: 2,
    from_first_sighting: 2,
    negative: 0
  },
  // Blocks 1 and 2 to three nodes; of A and B, block 4 only to its publisher.
  delivery: { expected: 8, had: 7, ratio: 7 / 8 },
  first_deliverers: {
    top_share_mean: (1 + 0.5 + 0.5) / 3,
    top_share_max: 1,
    nodes: [
      { node: A, delivered: 1, top_share: 1, peers: [{ peer: B, delivered: 1, share: 1 }] },
      {
        node: B,
        delivered: 2,
        top_share: 0.5,
        peers: [A, C].sort().map((p) => ({ peer: p, delivered: 1, share: 0.5 }))
      },
      {
        node: C,
        delivered: 2,
        top_share: 0.5,
        peers: [B, D].sort().map((p) => ({ peer: p, delivered: 1, share: 0.5 }))
      }
    ]
  },
  mesh_churn: { grafts: 4, prunes: 1, per_minute: 50, per_node_minute: 50 / 3 },
  gossip_yield: { ihave_ids: 2, iwant_ids: 2, asked: 2, came: 1, came_first: 1, yield: 0.5 }
}

test('three nodes and five messages, counted by hand', async () => {
  const stats = await measureTraces(SMALL_TRACE)
  expect(stats).toEqual({
    records: 31,
    records_by_type: {
      DELIVER_MESSAGE: 6,
      DROP_RPC: 1,
      DUPLICATE_MESSAGE: 3,
      GRAFT: 4,
      JOIN: 4,
      LEAVE: 1,
      ON_CLOSED_OUTBOUND_STREAM: 1,
      PRUNE: 1,
      PUBLISH_MESSAGE: 2,
      RECV_RPC: 2,
      REJECT_MESSAGE: 2,
      SCORES: 1,
      SEND_RPC: 3
    },
    clock: { first_ns: '1900000000000000000', last_ns: '1900000006000000000', span_ms: 6000 },
    lower_bounds: false,
    lost_records: 0,
    horizon_ms: 120_000,
    nodes: [
      { node: A, records: 12, lost_records: 0, clock: span(0, 6000) },
      { node: B, records: 11, lost_records: 0, clock: span(0, 3500) },
      { node: C, records: 8, lost_records: 0, clock: span(0, 3600) }
    ],
    rpcs: { sent: 3, received: 2, dropped: 1 },
    control: {
      sent: {
        messages: 1,
        bytes: 14 + 2 + (27 + 14 + 2) + 26,
        bytes_per_message: 85,
        kinds: {
          // bool, topic of 20 bytes
          subscriptions: { count: 1, ids: 0, bytes: 2 + 2 + 2 + 20 },
          ihave: none,
          iwant: { count: 1, ids: 2, bytes: 2 + 2 * (2 + 4) },
          graft: none,
          // topic of 21 bytes, backoff
          prune: { count: 1, ids: 0, bytes: 2 + 2 + 21 + 2 },
          idontwant: { count: 1, ids: 2, bytes: 2 + 2 * (2 + 4) },
          envelope: { count: 2, ids: 0, bytes: 4 }
        }
      },
      received: {
        messages: 1,
        bytes: 2 + 2 + 2 + 21 + 2 * (2 + 4),
        bytes_per_message: 39,
        kinds: {
          subscriptions: none,
          ihave: { count: 1, ids: 2, bytes: 2 + 2 + 21 + 2 * (2 + 4) },
          iwant: none,
          graft: none,
          prune: none,
          idontwant: none,
          envelope: { count: 1, ids: 0, bytes: 2 }
        }
      }
    },
    all: blocks,
    topics: [
      {
        topic: BLOCKS,
        ...blocks,
        mesh_degree: {
          mean: (0 + 4 / 3 + 4 / 3 + 4 / 3 + 1 + 0.5 + 0.5) / 7,
          step_ms: 1000,
          samples: [
            { at_ms: 0, nodes: 3, mean: 0, min: 0, max: 0 },
            { at_ms: 1000, nodes: 3, mean: 4 / 3, min: 1, max: 2 },
            { at_ms: 2000, nodes: 3, mean: 4 / 3, min: 1, max: 2 },
            { at_ms: 3000, nodes: 3, mean: 4 / 3, min: 1, max: 2 },
            // C has left, and B's stream to A has closed.
            { at_ms: 4000, nodes: 2, mean: 1, min: 1, max: 1 },
            // A has pruned B.
            { at_ms: 5000, nodes: 2, mean: 0.5, min: 0, max: 1 },
            { at_ms: 6000, nodes: 2, mean: 0.5, min: 0, max: 1 }
          ]
        }
      },
      expect.objectContaining({
        topic: VOTES,
        messages: 0,
        delivery: { expected: 0, had: 0, ratio: null },
        propagation_delay: { ...noDelays, from_publish: 0, from_first_sighting: 0, negative: 0 },
        mesh_degree: expect.objectContaining({ mean: 0 })
      })
    ]
  })
})

function span(from: number, to: number) {
  const ns = (ms: number) => `190000000${ms}000000`.padEnd(19, '0')
  return { first_ns: from === 0 ? '1900000000000000000' : ns(from), last_ns: ns(to), span_ms: to - from }
}
