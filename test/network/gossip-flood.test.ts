import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { pipe } from 'it-pipe'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { concatBytes } from '../../src/codec/bytes.ts'
import { hasCode } from '../../src/error.ts'
import { GossipBudget } from '../../src/network/gossip-budget.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { sink } from '../../src/network/streams/sink.ts'
import { TOPICS } from '../../src/network/topics.ts'
import { host, until } from './support/hosts.ts'
import { connect, node, type TestNode, view } from './support/nodes.ts'
import { empties, field, framed, gossipStream, rpc, varint } from './support/rpcs.ts'
import { ACCEPT_ALL, rulesBy } from './support/rules.ts'
import { id, inside } from './support/traces.ts'

const LONGEST = 2_000_000
const RPC_BYTES = 100_000
const RPCS = 6

/** What costs much and says nothing, each in one RPC. */
const FLOODS: Record<string, () => Uint8Array> = {
  ihave: () => rpc.ihave(id('vote'), empties(2, LONGEST)),
  iwant: () => rpc.iwant(empties(1, RPC_BYTES)),
  idontwant: () => rpc.idontwant(empties(1, RPC_BYTES)),
  'many of few ids': () => field(3, repeated(field(1, empties(2, 512)), RPC_BYTES)),
  'many control messages': () => repeated(field(3, field(5, empties(1, 512))), RPC_BYTES),
  grafts: () => rpc.grafts(empties(3, RPC_BYTES)),
  prunes: () => rpc.grafts(repeated(field(4, empties(2, 64)), RPC_BYTES)),
  subscriptions: () => empties(1, RPC_BYTES),
  messages: () => empties(2, RPC_BYTES),
  'one message of many parts': () => field(2, empties(2, RPC_BYTES)),
  'ids within a number': () => concatBytes(Uint8Array.of(0x18), varint(RPC_BYTES), empties(1, RPC_BYTES))
}

/** @param taken called when a chunk has gone out and the next is wanted */
async function send(stream: Stream, chunks: Uint8Array[], stallMs = 20_000, taken = (_: Uint8Array) => {}) {
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) {
      yield chunk
      taken(chunk)
    }
  }
  await pipe(source(), sink(stream, { stallMs }))
}

function repeated(one: Uint8Array, bytes: number): Uint8Array {
  return concatBytes(...Array.from({ length: Math.ceil(bytes / one.byteLength) }, () => one))
}

/** Counts what gossipsub decodes and hands on. */
function watch(of: TestNode) {
  const router = inside(of) as unknown as {
    decodeRpc(bytes: Uint8Array): unknown
    handleReceivedRpc(...args: unknown[]): Promise<void>
  }
  const seen = { decoded: 0, bytes: 0, handled: 0 }
  const [decode, handle] = [router.decodeRpc.bind(router), router.handleReceivedRpc.bind(router)]
  router.decodeRpc = (bytes) => {
    seen.decoded += 1
    seen.bytes += bytes.byteLength
    return decode(bytes)
  }
  router.handleReceivedRpc = (...args) => {
    seen.handled += 1
    return handle(...args)
  }
  return seen
}

function connectionOf(from: TestNode) {
  const [connection] = (from.network as Libp2pNetwork).host?.getConnections() ?? []
  if (connection === undefined) throw new Error('not connected')
  return connection
}

async function heardFrom(honest: TestNode, target: TestNode, text: string): Promise<void> {
  const off: (() => void)[] = []
  let heard = false
  off.push(
    target.network.subscribe(
      'events',
      rulesBy(
        () => 'accept',
        (payload) => {
          heard ||= Buffer.from(payload).toString() === text
        }
      )
    )
  )
  await until('subscribed', async () => (await honest.network.publish('events', Buffer.from(text))) > 0)
  await until('heard', () => heard)
  for (const end of off) end()
}

describe('a gossip flood', () => {
  it('of a peer that has not passed hello is not read: what it can send is one window', async () => {
    const target = await node({ settings: { handshakeMs: 60_000 } })
    const honest = await node()
    honest.network.subscribe('events', ACCEPT_ALL)
    await connect(honest, target)
    const seen = watch(target)
    const stranger = await host()
    await stranger.handle('/moloch/hello/1', () => {})
    const stream = await gossipStream(await stranger.dial(multiaddr(target.address)))
    let sent = 0
    const chunks = Array<Uint8Array>(64).fill(empties(1, 64 << 10))
    const sending = send(stream, chunks, 500, (chunk) => {
      sent += chunk.byteLength
    })
    await expect(sending).rejects.toSatisfy((error) => hasCode(error, 'PEER_TIMEOUT'))
    expect(sent).toBeLessThanOrEqual(320 << 10)
    await heardFrom(honest, target, 'meanwhile')
    expect(seen.bytes).toBeLessThan(1000)
    expect(target.network.sessions.get(stranger.peerId.toString())?.state).toBe('HANDSHAKING')
  })

  it('of a peer past hello is counted and not decoded, whatever it consists of, and ends its session', async () => {
    const target = await node()
    const honest = await node()
    honest.network.subscribe('events', ACCEPT_ALL)
    target.network.subscribe('vote', ACCEPT_ALL)
    await connect(honest, target)
    const seen = watch(target)
    const floods = Object.entries(FLOODS).map(async ([name, make]) => {
      const attacker = await node()
      await connect(attacker, target)
      const stream = await gossipStream(connectionOf(attacker))
      const sending = send(stream, Array<Uint8Array>(RPCS).fill(framed(make()))).catch(() => {})
      await until(`${name}: its end`, () => view(target, attacker) === undefined)
      await sending
      expect(target.network.held()).toContainEqual(
        expect.objectContaining({ peerId: attacker.network.peerId, code: 'BAD_RPC', verdict: 'disconnect' })
      )
    })
    await Promise.all(floods)
    // What honest subscriptions and grafts are.
    expect(seen.bytes).toBeLessThan(RPC_BYTES / 2)
    await heardFrom(honest, target, 'after all')
    expect(view(target, honest)?.points).toBe(0)
  })

  it('an RPC that is too long is not waited for', async () => {
    const [attacker, target] = [await node(), await node()]
    await connect(attacker, target)
    const stream = await gossipStream(connectionOf(attacker))
    stream.send(varint(4 << 20))
    await until('a fault', () => view(target, attacker)?.fault?.code === 'BAD_RPC')
  })

  it('of empty frames does not keep others from their turn, and loses nothing that comes after it', async () => {
    const [attacker, target] = [await node(), await node()]
    const heard: string[] = []
    target.network.subscribe(
      'vote',
      rulesBy(
        () => 'accept',
        (payload) => heard.push(Buffer.from(payload).toString())
      )
    )
    await connect(attacker, target)
    const seen = watch(target)
    const stream = await gossipStream(connectionOf(attacker))
    let turns = 0
    let running = true
    const turn = (): void => {
      turns += 1
      if (running) setImmediate(turn)
    }
    setImmediate(turn)
    const EMPTY = 10_000
    const last = framed(rpc.message(id('vote'), Buffer.from('the last')))
    await send(stream, [new Uint8Array(EMPTY), last])
    await until('the last', () => heard.includes('the last'))
    running = false
    // Each costs as much as a kilobyte, and 256 of them a turn.
    expect(turns).toBeGreaterThanOrEqual(EMPTY / 256)
    expect(seen.handled).toBeLessThan(10)
  })

  it('what an honest node answers to IWANT and tells in IHAVE fits what one takes', async () => {
    const [a, b] = [await node(), await node()]
    const router = inside(a) as unknown as {
      handleIWant(peer: string, iwant: object[]): { data: Uint8Array }[]
      mcache: { getWithIWantCount(id: string, peer: string): unknown }
      pushGossip(peer: string, ihave: object): void
      gossip: Map<string, { messageIDs: Uint8Array[] }[]>
    }
    await connect(a, b)
    const message = { topic: id('block'), data: new Uint8Array(300_000) }
    router.mcache.getWithIWantCount = () => ({ msg: message, count: 1 })
    const wanted = Array.from({ length: 5000 }, (_, i) => Buffer.from(`id ${i}`))
    const answer = router.handleIWant(b.network.peerId, [{ messageIDs: wanted }])
    expect(answer).toHaveLength(3)
    message.data = new Uint8Array(10)
    expect(router.handleIWant(b.network.peerId, [{ messageIDs: wanted }])).toHaveLength(1024)
    const told = () => (router.gossip.get(b.network.peerId) ?? []).flatMap(({ messageIDs }) => messageIDs)
    router.pushGossip(b.network.peerId, { topicID: id('vote'), messageIDs: wanted.slice(0, 1000) })
    router.pushGossip(b.network.peerId, { topicID: id('events'), messageIDs: wanted.slice(1000) })
    expect(told()).toHaveLength(1024)
  })

  it('an honest node answers all that it has told of, if it is asked for it at once', async () => {
    const router = inside(await node({ settings: { gossipHeartbeatMs: 3_600_000 } })) as unknown as {
      publish(topic: string, data: Uint8Array): Promise<unknown>
      handleIWant(peer: string, iwant: object[]): unknown[]
      emitGossip(peers: Map<string, Set<string>>): void
      gossip: Map<string, { topicID: string; messageIDs: Uint8Array[] }[]>
    }
    const size = { vote: 100, events: 200_000, header: 3000, block: 700_000, finalized: 900_000 }
    for (const topic of TOPICS) {
      for (let i = 0; i < 3; i += 1) await router.publish(id(topic), new Uint8Array(size[topic]).fill(i))
    }
    const topics = new Set<string>()
    // Beside the blocks nothing else of that size has room: each topic has its turn.
    for (const peer of TOPICS.map((_, i) => `peer ${i}`)) {
      router.emitGossip(new Map(TOPICS.map((topic) => [id(topic), new Set([peer])])))
      const told = router.gossip.get(peer) ?? []
      const ids = told.flatMap(({ messageIDs }) => messageIDs)
      expect(ids.length).toBeGreaterThan(1)
      expect(router.handleIWant(peer, [{ messageIDs: ids }])).toHaveLength(ids.length)
      for (const { topicID } of told) topics.add(topicID)
    }
    expect(topics.size).toBe(TOPICS.length)
  })
})

describe('half an RPC', () => {
  it('that does not come on ends its stream and nothing else: no points, and gossip goes on', async () => {
    const target = await node({ settings: { frameMs: 300 } })
    target.network.subscribe('vote', ACCEPT_ALL)
    const [slow, honest] = [await node(), await node()]
    honest.network.subscribe('vote', ACCEPT_ALL)
    await connect(slow, target)
    await connect(honest, target)
    const streams = [await gossipStream(connectionOf(slow)), await gossipStream(connectionOf(slow))]
    const [half, idle] = streams as [Stream, Stream]
    // A whole one and then half of another, on the stream that is not the newest.
    half.send(concatBytes(framed(rpc.subscribe('a')), varint(1000), new Uint8Array(500)))
    idle.send(framed(rpc.subscribe('a')))
    await until('the end', () => half.status !== 'open')
    expect(idle.status).toBe('open')
    expect(target.log.of('warn', 'a gossip stream was ended: no whole RPC came')).toHaveLength(1)
    expect(view(target, slow)).toMatchObject({ points: 0 })
    await heardFrom(honest, target, 'afterwards')
  })

  it('is paid for as it comes', async () => {
    const spies = [vi.spyOn(GossipBudget.prototype, 'pay'), vi.spyOn(GossipBudget.prototype, 'charge')]
    onTestFinished(() => {
      for (const spy of spies) spy.mockRestore()
    })
    const [attacker, target] = [await node(), await node()]
    await connect(attacker, target)
    const paid = (): number =>
      spies
        .flatMap(({ mock }) => mock.calls as unknown as [peer: string, bytes: number][])
        .reduce((sum, [peer, bytes]) => sum + (peer === attacker.network.peerId ? bytes : 0), 0)
    const before = paid()
    const stream = await gossipStream(connectionOf(attacker))
    stream.send(framed(rpc.message('none', new Uint8Array(300_000))).subarray(0, 200_000))
    await until('paid', () => paid() - before >= 200_000)
  })
})
