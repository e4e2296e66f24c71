/** Peers that send what is of no use, over real connections: it costs them their allowance, and nobody else anything. */
import { describe, expect, it } from 'vitest'
import { scope } from '../../src/chain/genesis.ts'
import type { Host } from '../../src/network/libp2p.ts'
import { messageId } from '../../src/network/message-id.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { topicId } from '../../src/network/topics.ts'
import type { Topic } from '../../src/network/types.ts'
import { settled, until } from './support/hosts.ts'
import { chain, connect, node, type TestNode, view } from './support/nodes.ts'
import { ACCEPT_ALL, rulesBy } from './support/rules.ts'

/** What the tests see and use of gossipsub's class. */
interface Inside {
  sendRpc(peer: string, rpc: { subscriptions: []; messages: { topic: string; data: Uint8Array }[] }): boolean
  readonly seenCache: { size: number }
  readonly mcache: { msgs: Map<string, unknown> }
  readonly gossipTracer: { readonly size: number; addPromise(from: string, ids: Uint8Array[]): void }
  readonly score: { deliveryRecords: { records: Map<string, unknown> } }
}

function inside(node: TestNode): Inside {
  const { host } = node.network as Libp2pNetwork
  return (host as Host).services.pubsub as unknown as Inside
}

const idOf = (topic: Topic): string => topicId(scope(chain().genesis), topic)
const bytes = (text: string): Uint8Array => Buffer.from(text)

/** Sends messages past the sender's own gossipsub, which would send none twice. */
function send(from: TestNode, to: TestNode, topic: Topic, messages: Uint8Array[]): void {
  for (let i = 0; i < messages.length; i += 500) {
    const some = messages.slice(i, i + 500).map((data) => ({ topic: idOf(topic), data }))
    inside(from).sendRpc(to.network.peerId, { subscriptions: [], messages: some })
  }
}

const countsOf = (node: TestNode, topic: Topic) =>
  node.network.topics().find((one) => one.topic === topic)?.counts as NonNullable<
    ReturnType<TestNode['network']['topics']>[number]
  >['counts']

const ignoreDull = (heard: (text: string, from: string) => void) =>
  rulesBy(
    (payload) => (Buffer.from(payload).toString().startsWith('dull') ? 'ignore' : 'accept'),
    (payload, from) => heard(Buffer.from(payload).toString(), from)
  )

async function scene() {
  const [flooder, honest, b] = [await node(), await node({ keySeed: 2 }), await node({ keySeed: 3 })]
  const heard = new Map<string, string[]>([
    [flooder.network.peerId, []],
    [honest.network.peerId, []]
  ])
  b.network.subscribe(
    'vote',
    ignoreDull((text, from) => heard.get(from)?.push(text))
  )
  for (const one of [flooder, honest]) one.network.subscribe('vote', ACCEPT_ALL)
  await connect(flooder, b)
  await connect(honest, b)
  const of = (one: TestNode): string[] => heard.get(one.network.peerId) as string[]
  return { flooder, honest, b, of }
}

describe('a peer that floods with what is ignored', () => {
  it('is not looked at when it has used up its allowance; others are heard, and it loses no score', async () => {
    const { flooder, honest, b, of } = await scene()
    const began = performance.now()
    for (let i = 0; i < 20; i++) {
      send(
        flooder,
        b,
        'vote',
        Array.from({ length: 500 }, (_, n) => bytes(`dull ${i} ${n}`))
      )
      await honest.network.publish('vote', bytes(`good ${i}`))
    }
    await until('all of the others', () => of(honest).length === 20)
    await until('the end of the flood', () => of(flooder).length + countsOf(b, 'vote').dropped >= 10_000)
    const seconds = (performance.now() - began) / 1000
    // Its sure share and what all strangers have together, by the rates of both.
    expect(of(flooder).length).toBeLessThanOrEqual(4100 + 504 * seconds)
    expect(countsOf(b, 'vote').dropped).toBe(10_000 - of(flooder).length)
    expect(view(b, flooder)).toMatchObject({
      gossip: { accepted: 0, useless: of(flooder).length, dropped: 10_000 - of(flooder).length },
      points: 0
    })
    expect(view(b, flooder)?.score).toBeGreaterThanOrEqual(0)
    expect(view(b, honest)?.gossip).toEqual({ accepted: 20, useless: 0, dropped: 0 })
    // Whoever runs the node is told, once.
    const lines = b.log.of('warn', 'peer throttled')
    expect(lines.map(({ details }) => details.peer)).toEqual([flooder.network.peerId])
    // Nor are they remembered, in whatever memory has a time and no size.
    const { seenCache, score, mcache } = inside(b)
    const known = of(flooder).length + 20
    expect(seenCache.size).toBeLessThanOrEqual(known)
    expect(score.deliveryRecords.records.size).toBeLessThanOrEqual(known)
    expect(mcache.msgs.size).toBeLessThanOrEqual(20)
  })

  it('cannot make what is not looked at count as seen: the same from another peer is heard', async () => {
    const { flooder, honest, b, of } = await scene()
    send(
      flooder,
      b,
      'vote',
      Array.from({ length: 6000 }, (_, n) => bytes(`dull ${n}`))
    )
    await until('the flood is not looked at', () => countsOf(b, 'vote').dropped > 0)
    const before = countsOf(b, 'vote').dropped
    send(
      flooder,
      b,
      'vote',
      Array.from({ length: 500 }, () => bytes('precious'))
    )
    await until('nor is this', () => countsOf(b, 'vote').dropped >= before + 500 || of(flooder).includes('precious'))
    await honest.network.publish('vote', bytes('precious'))
    await until('it', () => of(honest).includes('precious') || of(flooder).includes('precious'))
  })
})

it('a peer that sends the same messages again and again is not looked at after a while', async () => {
  const { flooder, honest, b, of } = await scene()
  const messages = Array.from({ length: 10 }, (_, n) => bytes(`good ${n}`))
  for (let i = 0; i < 300; i++) send(flooder, b, 'vote', messages)
  await until('all of it', () => {
    const { received, dropped } = countsOf(b, 'vote')
    return received + dropped === 3000
  })
  expect(of(flooder)).toHaveLength(10)
  const { duplicates, dropped } = countsOf(b, 'vote')
  expect(duplicates).toBeLessThan(1000)
  expect(dropped).toBeGreaterThan(2000)
  await honest.network.publish('vote', bytes('another'))
  await until('another peer', () => of(honest).includes('another'))
})

it('messages of topics that a node does not follow are neither taken nor kept', async () => {
  const [a, b] = [await node(), await node({ keySeed: 2 })]
  b.network.subscribe('header', ACCEPT_ALL)
  await connect(a, b)
  for (const topic of ['events', 'block', 'vote', 'finalized'] as const) {
    send(
      a,
      b,
      topic,
      Array.from({ length: 50 }, (_, n) => bytes(`${topic} ${n}`))
    )
  }
  send(a, b, 'header', [bytes('the last')])
  await until('the last', () => countsOf(b, 'header').accepted === 1)
  const { seenCache, mcache, score } = inside(b)
  expect([seenCache.size, mcache.msgs.size, score.deliveryRecords.records.size]).toEqual([1, 1, 1])
  expect(await settled(() => seenCache.size, 50)).toBe(1)
})

it('a small message does not keep the RPC that it came in', async () => {
  const [a, b] = [await node(), await node({ keySeed: 2 })]
  const kept: Uint8Array[] = []
  b.network.subscribe(
    'vote',
    rulesBy(
      () => 'accept',
      (payload) => kept.push(payload)
    )
  )
  await connect(a, b)
  inside(a).sendRpc(b.network.peerId, {
    subscriptions: [],
    messages: [
      { topic: idOf('block'), data: new Uint8Array(500_000) },
      { topic: idOf('vote'), data: bytes('small') }
    ]
  })
  await until('it', () => kept.length === 1)
  expect(kept[0]?.buffer.byteLength).toBeLessThan(10_000)
})

it('what a node asked for and then has no room for is not held against who brought it', async () => {
  const [a, b] = [await node(), await node({ keySeed: 2 })]
  b.network.subscribe('events', { ...ACCEPT_ALL, isFull: (payload) => Buffer.from(payload).toString() !== 'room' })
  a.network.subscribe('events', ACCEPT_ALL)
  await connect(a, b)
  const { gossipTracer } = inside(b)
  const ids = ['none', 'room'].map((text) => messageId(idOf('events'), bytes(text)))
  for (const id of ids) gossipTracer.addPromise(a.network.peerId, [id])
  expect(gossipTracer.size).toBe(2)
  send(a, b, 'events', ['none', 'room'].map(bytes))
  await until('both', () => gossipTracer.size === 0)
  expect(countsOf(b, 'events')).toMatchObject({ dropped: 1, accepted: 1 })
})
