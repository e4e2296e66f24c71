import type { ControlMeta, RpcMeta, TraceBody, TraceEvent } from '../../../src/trace/event.ts'
import type { Random } from '../../support/random.ts'

/** Sunday, in nanoseconds since 1970. */
export const START = 1_900_000_000_000_000_000n
const MS = 1e6
const REASONS = ['validation failed', 'validation ignored', 'blacklisted peer', '__proto__']

/** A peer id's multihash: identity of an Ed25519 key that is nobody's. */
export function peer(n: number): Uint8Array {
  return Uint8Array.from([0, 36, 8, 1, 18, 32, ...Array.from({ length: 32 }, (_, i) => (n * 7 + i * n) & 255)])
}

export function messageId(n: number): Uint8Array {
  return Uint8Array.from([n & 255, (n >>> 8) & 255, 200, 13])
}

export function rpc(meta: Partial<Omit<RpcMeta, 'control'>> & { readonly control?: Partial<ControlMeta> }): RpcMeta {
  const control = meta.control && { ihave: [], iwant: [], graft: [], prune: [], idontwant: [], ...meta.control }
  return { messages: [], subscriptions: [], ...meta, control }
}

export interface NetworkOptions {
  readonly nodes: number
  readonly topics: readonly string[]
  readonly messages: number
  /** What the messages are published over. */
  readonly ms: number
  /** How far a node's clock may be off. */
  readonly skewMs?: number
}

/** Traces of nodes that gossip, with everything that a trace may have, merged by time. */
export function gossipTraces(random: Random, options: NetworkOptions): TraceEvent[] {
  const { nodes, topics, messages, ms } = options
  const events: TraceEvent[] = []
  const skew = Array.from({ length: nodes }, () => random.below((options.skewMs ?? 0) + 1))
  // Some clocks tick in 20 ms, so that records of different nodes have the same time.
  const tick = random.below(2) > 0 ? 20 * MS : 1
  const put = (node: number, atMs: number, body: TraceBody) => {
    const timestamp = START + BigInt(Math.round(((atMs + (skew[node] ?? 0)) * MS) / tick) * tick)
    events.push({ peerId: peer(node), timestamp, ...body } as TraceEvent)
  }
  const some = () => random.below(nodes)
  const other = (node: number) => (nodes === 1 ? nodes : (node + 1 + random.below(nodes - 1)) % nodes)

  for (let node = 0; node < nodes; node++) {
    for (const topic of topics) {
      // Every fourth trace begins after its node joined.
      if (random.below(4) > 0) put(node, random.float() * 5, { type: 'JOIN', topic })
      if (random.below(4) === 0) {
        const left = random.float() * ms
        put(node, left, { type: 'LEAVE', topic })
        if (random.below(2) > 0) put(node, left + random.float() * (ms - left), { type: 'JOIN', topic })
      }
      for (let i = 0; i < 4; i++) {
        const type = random.below(3) > 0 ? 'GRAFT' : 'PRUNE'
        put(node, random.float() * ms, { type, peer: peer(other(node)), topic })
      }
    }
    if (random.below(3) === 0) {
      const [gone, at] = [peer(other(node)), random.float() * ms]
      put(node, at, { type: 'ON_CLOSED_OUTBOUND_STREAM', peer: gone })
      if (random.below(2) === 0) {
        const back = at + random.float() * (random.below(2) === 0 ? 5000 : 20_000)
        put(node, back, { type: 'ON_NEW_OUTBOUND_STREAM', peer: gone, protocol: '/meshsub/1.2.0' })
      }
    }
  }

  for (let n = 0; n < messages; n++) {
    const topic = random.pick(topics)
    const message = { messageId: messageId(n), topic }
    const publisher = some()
    const at = random.float() * ms
    if (random.below(5) > 0) put(publisher, at, { type: 'PUBLISH_MESSAGE', ...message })
    if (random.below(3) === 0)
      put(publisher, at, { type: 'DELIVER_MESSAGE', ...message, receivedFrom: peer(publisher) })
    for (let node = 0; node < nodes; node++) {
      // A publisher that forgot may have its own back as new.
      if (node === publisher && random.below(4) > 0) continue
      let then = at + random.float() ** 3 * 400
      const receivedFrom = () => peer(other(node))
      const fate = random.below(10)
      if (fate === 0) {
        put(node, then, {
          type: 'REJECT_MESSAGE',
          ...message,
          receivedFrom: receivedFrom(),
          reason: random.pick(REASONS)
        })
      } else if (fate === 1) {
        askFor(node, n, topic, then)
      } else if (fate > 2) {
        put(node, then, { type: 'DELIVER_MESSAGE', ...message, receivedFrom: receivedFrom() })
      }
      for (let copies = random.below(4); copies > 0; copies--) {
        then += random.float() * 50 - 5
        put(node, then, { type: 'DUPLICATE_MESSAGE', ...message, receivedFrom: receivedFrom() })
      }
    }
  }

  function askFor(node: number, n: number, topic: string, at: number): void {
    const from = other(node)
    const ids = [messageId(n), messageId(n + 100_000)]
    const ihave = rpc({ control: { ihave: [{ topic, messageIds: ids }] } })
    put(node, at, { type: 'RECV_RPC', peer: peer(from), meta: ihave })
    const iwant = rpc({ control: { iwant: [{ messageIds: random.below(2) > 0 ? ids : ids.slice(0, 1) }] } })
    put(node, at + 0.1, { type: 'SEND_RPC', peer: peer(from), meta: iwant })
    if (random.below(3) === 0) put(node, at + 0.2, { type: 'SEND_RPC', peer: peer(other(node)), meta: iwant })
    const type = random.pick(['DELIVER_MESSAGE', 'DELIVER_MESSAGE', 'DUPLICATE_MESSAGE'] as const)
    if (random.below(4) > 0) put(node, at + 40, { type, messageId: messageId(n), topic, receivedFrom: peer(from) })
  }

  for (let i = 0; i < messages; i++) {
    const node = some()
    const topic = random.pick(topics)
    const type = random.pick(['SEND_RPC', 'RECV_RPC', 'SEND_RPC', 'DROP_RPC'] as const)
    const ids = (count: number) => Array.from({ length: random.below(count) }, () => messageId(random.below(messages)))
    const meta = rpc({
      messages: ids(3).map((id) => ({ messageId: id, topic })),
      subscriptions: random.below(4) === 0 ? [{ subscribe: random.below(2) > 0, topic }] : [],
      control: {
        graft: random.below(2) > 0 ? [{ topic }] : [],
        prune: random.below(2) > 0 ? [{ topic, peers: ids(3).map((_, k) => peer(k)) }] : [],
        idontwant: random.below(2) > 0 ? [{ messageIds: ids(60) }] : []
      }
    })
    const whole = random.below(3) > 0 ? meta : { ...meta, control: undefined }
    put(node, random.float() * ms, { type, peer: peer(other(node)), meta: whole })
  }
  if (random.below(4) === 0) put(some(), ms / 2, { type: 'LOST', count: 1 + random.below(9) })
  put(some(), ms / 3, { type: 'SCORES', scores: [{ peer: peer(0), score: -1 }] })
  return byTime(events)
}

export function byTime(events: readonly TraceEvent[]): TraceEvent[] {
  return events.toSorted((a, b) => (a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0))
}
