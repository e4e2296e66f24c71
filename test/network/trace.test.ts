import { describe, expect, it } from 'vitest'
import { TRACE_TYPES } from '../../src/trace/event.ts'
import { settled, until } from './support/hosts.ts'
import { connect } from './support/nodes.ts'
import { ACCEPT_ALL, rulesBy } from './support/rules.ts'
import { hex, id, idOf, inside, meshOf, messagesIn, of, rawId, type TracedNode, traced } from './support/traces.ts'

const NODES = 5
const MESSAGES = 40
const HEARTBEAT_MS = 200

/** Every other message is large enough for an IDONTWANT. */
const payload = (i: number): Uint8Array => Buffer.from(`message ${i} `.repeat(i % 2 === 0 ? 1 : 100))

const verdicts = { accept: 'accept', dull: 'ignore', bad: 'reject' } as const

/** All to all, subscribed to votes; what a payload begins with decides the verdict. */
async function mesh(): Promise<TracedNode[]> {
  const nodes: TracedNode[] = []
  for (let i = 0; i < NODES; i++) {
    const one = await traced({ settings: { gossipHeartbeatMs: HEARTBEAT_MS, traceScoresMs: 100 } })
    const word = (bytes: Uint8Array): string => Buffer.from(bytes).toString().split(' ')[0] ?? ''
    one.network.subscribe(
      'vote',
      rulesBy((bytes) => verdicts[word(bytes) as keyof typeof verdicts] ?? 'accept')
    )
    for (const other of nodes) await connect(one, other)
    nodes.push(one)
  }
  await until('all in each mesh', () => nodes.every((one) => meshOf(one).length === NODES - 1))
  return nodes
}

const sum = (nodes: readonly TracedNode[], count: (node: TracedNode) => number): number =>
  nodes.reduce((total, node) => total + count(node), 0)

const judged = (node: TracedNode): number =>
  of(node, 'DELIVER_MESSAGE').length + of(node, 'DUPLICATE_MESSAGE').length + of(node, 'REJECT_MESSAGE').length

/** Who is in the mesh by GRAFTs and PRUNEs alone; each must be a change. */
function membersByTrace(node: TracedNode, topic: string): string[] {
  const members = new Set<string>()
  for (const event of node.events) {
    if ((event.type !== 'GRAFT' && event.type !== 'PRUNE') || event.topic !== topic) continue
    const peer = hex(event.peer)
    expect(members.has(peer), `${event.type} of ${peer}`).toBe(event.type === 'PRUNE')
    if (event.type === 'GRAFT') members.add(peer)
    else members.delete(peer)
  }
  return [...members].sort()
}

describe('the trace of a mesh', () => {
  it('has every message at every node once, and accounts for every copy', async () => {
    const nodes = await mesh()
    const published = new Map<string, TracedNode>()
    for (let i = 0; i < MESSAGES; i++) {
      const publisher = nodes[i % NODES] as TracedNode
      expect(await publisher.network.publish('vote', payload(i))).toBe(NODES - 1)
      published.set(idOf('vote', payload(i)), publisher)
    }
    await until('all delivered', () => sum(nodes, (n) => of(n, 'DELIVER_MESSAGE').length) === MESSAGES * (NODES - 1))
    await settled(() => sum(nodes, ({ events }) => events.filter(({ type }) => type === 'RECV_RPC').length))

    for (const node of nodes) {
      const own = of(node, 'PUBLISH_MESSAGE')
      expect(own.map(({ messageId }) => hex(messageId)).every((one) => published.get(one) === node)).toBe(true)
      expect(own).toHaveLength(MESSAGES / NODES)
      const delivered = of(node, 'DELIVER_MESSAGE').map(({ messageId }) => hex(messageId))
      expect(new Set(delivered).size).toBe(delivered.length)
      expect(delivered.sort()).toEqual([...published.keys()].filter((one) => published.get(one) !== node).sort())
      expect(of(node, 'REJECT_MESSAGE')).toEqual([])
      // Of each copy that came, one thing became.
      expect(messagesIn(node, 'RECV_RPC')).toBe(judged(node))
      expect(messagesIn(node, 'DROP_RPC')).toBe(0)
      expect(node.events.every(({ peerId }) => hex(peerId) === rawId(node))).toBe(true)
      expect(
        node.events.every(({ timestamp }, i) => i === 0 || timestamp >= (node.events[i - 1]?.timestamp ?? 0n))
      ).toBe(true)
      expect(membersByTrace(node, id('vote'))).toEqual(meshOf(node).map(rawId).sort())
      expect(node.log.of('warn')).toEqual([])
    }
    expect(sum(nodes, (n) => of(n, 'DUPLICATE_MESSAGE').length)).toBeGreaterThan(0)
    expect(sum(nodes, (n) => messagesIn(n, 'SEND_RPC'))).toBe(sum(nodes, (n) => messagesIn(n, 'RECV_RPC')))
  })

  it('orders cause before effect across nodes of one clock', async () => {
    const [a, b] = (await mesh()) as [TracedNode, TracedNode]
    await a.network.publish('vote', payload(1))
    await until('it', () => of(b, 'DELIVER_MESSAGE').length === 1)
    const steps = [
      of(a, 'PUBLISH_MESSAGE')[0],
      of(a, 'SEND_RPC').find(({ meta, peer }) => meta.messages.length > 0 && hex(peer) === rawId(b)),
      of(b, 'RECV_RPC').find(({ meta, peer }) => meta.messages.length > 0 && hex(peer) === rawId(a))
    ].map((event) => event?.timestamp ?? 0n)
    expect(steps).toEqual([...steps].sort((x, y) => Number(x - y)))
    expect(Math.abs(Number((steps[0] ?? 0n) / 1_000_000n) - Date.now())).toBeLessThan(3_600_000)
  })

  it('tells ignore from reject, and says of each what came of it', async () => {
    const nodes = await mesh()
    const [a] = nodes as [TracedNode]
    await a.network.publish('vote', Buffer.from('dull one'))
    await a.network.publish('vote', Buffer.from('bad one'))
    const others = nodes.slice(1)
    await until('both', () => others.every((n) => of(n, 'REJECT_MESSAGE').length === 2))
    for (const node of others) {
      const reasons = of(node, 'REJECT_MESSAGE').map(({ messageId, reason }) => [hex(messageId), reason])
      expect(Object.fromEntries(reasons)).toEqual({
        [idOf('vote', Buffer.from('dull one'))]: 'validation ignored',
        [idOf('vote', Buffer.from('bad one'))]: 'validation failed'
      })
      expect(of(node, 'REJECT_MESSAGE').every(({ receivedFrom }) => hex(receivedFrom) === rawId(a))).toBe(true)
      expect(of(node, 'DELIVER_MESSAGE')).toEqual([])
      expect(messagesIn(node, 'RECV_RPC')).toBe(judged(node))
    }
  })

  it('has each type of event', async () => {
    const nodes = await mesh()
    const [a, b, c] = nodes as [TracedNode, TracedNode, TracedNode]
    await a.network.publish('vote', payload(0))
    await a.network.publish('vote', Buffer.from('bad one'))
    await until('copies', () => of(b, 'DUPLICATE_MESSAGE').length > 0 && of(b, 'REJECT_MESSAGE').length > 0)
    // What is to be sent to a peer without a stream is dropped.
    inside(a).streamsOutbound.get(b.network.peerId)?.rawStream.abort(new Error('a fault'))
    await until('closed', () => of(a, 'ON_CLOSED_OUTBOUND_STREAM').length > 0)
    const off = a.network.subscribe('header', ACCEPT_ALL)
    expect(of(a, 'DROP_RPC').map(({ peer, meta }) => [hex(peer), meta.subscriptions])).toEqual([
      [rawId(b), [{ subscribe: true, topic: id('header') }]]
    ])
    off()
    await c.network.disconnect(a.network.peerId, 'SHUTDOWN')
    await until('a sample', () => of(a, 'SCORES').length > 0)
    await until('gone', () => of(a, 'PRUNE').some(({ peer }) => hex(peer) === rawId(c)))
    const seen = new Set(nodes.flatMap(({ events }) => events.map(({ type }) => type)))
    // LOST is the writer's.
    const all = Object.keys(TRACE_TYPES).filter((type) => type !== 'LOST')
    expect([...seen].sort()).toEqual(all.sort())
    const sample = of(a, 'SCORES').at(-1)?.scores ?? []
    expect(sample.map(({ peer }) => hex(peer))).toContain(rawId(b))
    expect(sample.every(({ score }) => Number.isFinite(score))).toBe(true)
  })
})
