import { RPC } from '@libp2p/gossipsub/message'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RpcMeta, TraceEvent } from '../../src/trace/event.ts'
import { addControl, type ControlPart } from '../../src/trace/measures/control-size.ts'
import { Distribution } from '../../src/trace/measures/distribution.ts'
import { GossipMeasures, type MeasureOptions, measureTraces } from '../../src/trace/measures/gossip-measures.ts'
import { CONTROL_KINDS, type ControlKind } from '../../src/trace/measures/gossip-stats.ts'
import { peerText } from '../../src/trace/measures/keys.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { gossipTraces, messageId, peer, START } from './support/gossip-network.ts'
import { delays, firstDeliverersOracle, meshOracle, scopeOracle } from './support/oracle.ts'

const TOPICS = ['/moloch/a/blocks/1', '/moloch/a/votes/1', 'all']

function measure(events: readonly TraceEvent[], options?: MeasureOptions) {
  const measures = new GossipMeasures(options)
  for (const event of events) measures.add(event)
  return measures.result()
}

const networks = fc.record({
  seed: fc.integer(),
  nodes: fc.integer({ min: 1, max: 6 }),
  topics: fc.integer({ min: 1, max: 3 }).map((n) => TOPICS.slice(0, n)),
  messages: fc.integer({ min: 0, max: 25 }),
  ms: fc.constantFrom(1, 900, 30_000),
  skewMs: fc.constantFrom(0, 0, 30)
})

test('every measure is what its definition says, by the naive count, whatever the horizon', () => {
  fc.assert(
    fc.property(
      networks,
      fc.constantFrom(0, 60, 120_000),
      fc.constantFrom(3, 512),
      (network, horizonMs, meshSamples) => {
        const events = gossipTraces(new Random(network.seed), network)
        const stats = measure(events, { horizonMs, meshSamples })
        const scopes = [{ ...stats.all, topic: undefined }, ...stats.topics]
        for (const { topic, first_deliverers, ...scope } of scopes) {
          const { mesh_degree, ...rest } = { mesh_degree: undefined, ...scope }
          expect(rest).toEqual(scopeOracle(events, topic, horizonMs * 1e6))
          if (topic !== undefined) expect(mesh_degree).toEqual(meshOracle(events, topic, meshSamples))
          const pairs = firstDeliverersOracle(events, topic)
          const text = (key: string) =>
            key.split(' ').map((hex) => peerText(Buffer.from(hex, 'hex').toString('latin1')))
          expect(
            new Map(first_deliverers.nodes.flatMap((n) => n.peers.map((p) => [`${n.node} ${p.peer}`, p.delivered])))
          ).toEqual(new Map([...pairs].map(([key, count]) => [text(key).join(' '), count])))
        }
        const named = new Set(events.flatMap((e) => ('topic' in e && e.type !== 'LEAVE' ? [e.topic] : [])))
        for (const topic of named) expect(stats.topics.map((t) => t.topic)).toContain(topic)
        expect(stats.records).toBe(events.length)
      }
    ),
    runs(60)
  )
})

test('control parts have the size that gossipsub gives them', () => {
  fc.assert(
    fc.property(networks, ({ seed, ...network }) => {
      const events = gossipTraces(new Random(seed), { ...network, messages: 25 })
      for (const type of ['SEND_RPC', 'RECV_RPC'] as const) {
        const rpcs = events.flatMap((e) => (e.type === type ? [e.meta] : []))
        const { messages, bytes, kinds } = measure(events).control[type === 'SEND_RPC' ? 'sent' : 'received']
        expect(messages).toBe(rpcs.reduce((sum, meta) => sum + meta.messages.length, 0))
        expect(bytes).toBe(rpcs.reduce((sum, meta) => sum + encodedControl(meta), 0))
        expect(Object.values(kinds).reduce((sum, kind) => sum + kind.bytes, 0)).toBe(bytes)
        const ids = rpcs
          .flatMap((meta) => meta.control?.idontwant ?? [])
          .reduce((sum, i) => sum + i.messageIds.length, 0)
        expect(kinds.idontwant.ids).toBe(ids)
      }
    }),
    runs(20)
  )
  const long = { topic: 'x'.repeat(20_000), messageIds: Array.from({ length: 5000 }, (_, i) => messageId(i)) }
  const meta = {
    messages: [],
    subscriptions: [{ subscribe: true, topic: 'ü'.repeat(100) }],
    control: { ihave: [long], iwant: [], graft: [], prune: [], idontwant: [] }
  }
  const parts = Object.fromEntries(CONTROL_KINDS.map((kind) => [kind, { count: 0, ids: 0, bytes: 0 }]))
  expect(addControl(meta, parts as Record<ControlKind, ControlPart>)).toBe(encodedControl(meta))
})

function encodedControl({ subscriptions, control }: RpcMeta): number {
  const encoded = RPC.encode({
    messages: [],
    subscriptions: [...subscriptions],
    ...(control && {
      control: {
        ihave: control.ihave.map((i) => ({ topicID: i.topic, messageIDs: [...i.messageIds] })),
        iwant: control.iwant.map((i) => ({ messageIDs: [...i.messageIds] })),
        graft: control.graft.map((g) => ({ topicID: g.topic })),
        prune: control.prune.map((p) => ({
          topicID: p.topic,
          peers: p.peers.map((peerID) => ({ peerID })),
          backoff: 60
        })),
        idontwant: control.idontwant.map((i) => ({ messageIDs: [...i.messageIds] }))
      }
    })
  } as RPC)
  return encoded.byteLength
}

test('a distribution of any numbers has the ranks of its samples', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 45 }), { maxLength: 700 }), (samples) => {
      const distribution = new Distribution()
      for (const sample of samples) distribution.add(sample)
      expect(distribution.delayStats()).toEqual(delays(samples))
    }),
    runs(100)
  )
})

/** A message every 10 ms, delivered to two others 5 and 7 ms later, with one duplicate. */
function* steadyTraffic(messages: number): Generator<TraceEvent> {
  for (let n = 0; n < messages; n++) {
    const message = { messageId: Uint8Array.from([n, n >> 8, n >> 16]), topic: TOPICS[0] as string }
    const at = (ms: number) => START + BigInt(n * 10 + ms) * 1_000_000n
    yield { peerId: peer(0), timestamp: at(0), type: 'PUBLISH_MESSAGE', ...message }
    yield { peerId: peer(1), timestamp: at(5), type: 'DELIVER_MESSAGE', ...message, receivedFrom: peer(0) }
    yield { peerId: peer(2), timestamp: at(7), type: 'DELIVER_MESSAGE', ...message, receivedFrom: peer(1) }
    yield { peerId: peer(2), timestamp: at(8), type: 'DUPLICATE_MESSAGE', ...message, receivedFrom: peer(0) }
  }
}

test('only the messages of the last horizon are held, and the numbers are those of holding all', async () => {
  const measures = new GossipMeasures({ horizonMs: 1000 })
  let most = 0
  for (const event of steadyTraffic(20_000)) {
    measures.add(event)
    most = Math.max(most, measures.inFlight)
  }
  // 1000 ms of a message every 10 ms, both ends included.
  expect(most).toBe(101)
  const whole = await measureTraces(steadyTraffic(20_000), { horizonMs: 1e9 })
  expect(measures.result()).toEqual({ ...whole, horizon_ms: 1000 })
  expect(whole.all.propagation_delay).toMatchObject({ count: 40_000, mean: 6, max: 7 })
})

test('a lost record makes every count a lower bound', () => {
  const events = [...steadyTraffic(1)]
  expect(measure(events)).toMatchObject({ lower_bounds: false, lost_records: 0 })
  const last = events.at(-1) as TraceEvent
  const lost: TraceEvent = { peerId: last.peerId, timestamp: last.timestamp, type: 'LOST', count: 7 }
  const stats = measure([...events, lost])
  expect(stats).toMatchObject({ lower_bounds: true, lost_records: 7, records: 5 })
  expect(stats.nodes.map((node) => node.lost_records)).toEqual([0, 0, 7])
})

test('no records make no numbers, and a result is final', () => {
  const measures = new GossipMeasures()
  const stats = measures.result()
  expect(stats).toMatchObject({ records: 0, clock: { first_ns: null, last_ns: null, span_ms: 0 }, topics: [] })
  expect(stats.all.delivery.ratio).toBeNull()
  expect(measures.result()).toBe(stats)
  expect(() => measures.add([...steadyTraffic(1)][0] as TraceEvent)).toThrow('the result was taken')
})
