import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import { concatBytes } from '../../src/codec/bytes.ts'
import { silentLog } from '../../src/log.ts'
import { GossipTap } from '../../src/network/trace/tap.ts'
import { host, until } from './support/hosts.ts'
import { connect } from './support/nodes.ts'
import { framed, gossipStream, rpc } from './support/rpcs.ts'
import { ACCEPT_ALL, rulesBy } from './support/rules.ts'
import { hex, id, idOf, inside, meshOf, of, plain, rawId, traced } from './support/traces.ts'

describe('the trace of a pair', () => {
  it('has streams as they open and close, topics as they are joined and left', async () => {
    const [a, b] = [await traced(), await traced()]
    const off = a.network.subscribe('vote', ACCEPT_ALL)
    b.network.subscribe('vote', ACCEPT_ALL)
    expect(of(a, 'JOIN').map(({ topic }) => topic)).toEqual([id('vote')])
    await connect(a, b)
    await until('meshed', () => meshOf(a).length === 1 && meshOf(b).length === 1)
    expect(of(a, 'ON_NEW_OUTBOUND_STREAM').map(({ peer, protocol }) => [hex(peer), protocol])).toEqual([
      [rawId(b), '/meshsub/1.2.0']
    ])
    expect(of(a, 'ON_CLOSED_OUTBOUND_STREAM')).toEqual([])
    expect(of(a, 'GRAFT').map(({ peer, topic }) => [hex(peer), topic])).toEqual([[rawId(b), id('vote')]])
    off()
    expect(of(a, 'LEAVE').map(({ topic }) => topic)).toEqual([id('vote')])
    expect(of(a, 'PRUNE').map(({ peer }) => hex(peer))).toEqual([rawId(b)])
    await until('pruned', () => of(b, 'PRUNE').length === 1)
    await b.network.stop()
    await until('closed', () => of(a, 'ON_CLOSED_OUTBOUND_STREAM').length === 1)
    expect(of(b, 'ON_CLOSED_OUTBOUND_STREAM').map(({ peer }) => hex(peer))).toEqual([rawId(a)])
  })

  it('of an orderly stop has the topics left and the streams closed, after all that waited', async () => {
    const [a, b] = [await traced(), await traced({ settings: { traceBatchMs: 3_600_000 } })]
    for (const topic of ['vote', 'block'] as const) {
      for (const { network } of [a, b]) network.subscribe(topic, ACCEPT_ALL)
    }
    await connect(a, b)
    await until('meshed', () => meshOf(a).length === 1 && meshOf(b).length === 1)
    await a.network.publish('vote', Buffer.from('the last one'))
    await until('its verdict', () => b.network.topics().some(({ counts }) => counts.accepted > 0))
    expect(of(b, 'DELIVER_MESSAGE')).toEqual([])
    await b.network.stop()
    expect(of(b, 'DELIVER_MESSAGE')).toHaveLength(1)
    expect(of(b, 'JOIN').map(({ topic }) => topic)).toEqual([id('vote'), id('block')])
    expect(of(b, 'LEAVE').map(({ topic }) => topic)).toEqual([id('vote'), id('block')])
    expect(of(b, 'PRUNE').map(({ peer }) => hex(peer))).toEqual([rawId(a), rawId(a)])
    expect(of(b, 'ON_CLOSED_OUTBOUND_STREAM').map(({ peer }) => hex(peer))).toEqual([rawId(a)])
    const times = b.events.map(({ timestamp }) => timestamp)
    expect(times).toEqual([...times].sort((x, y) => (x < y ? -1 : x > y ? 1 : 0)))
  })

  it('has the whole of an RPC at both ends', async () => {
    const [a, b] = [await traced(), await traced()]
    for (const { network } of [a, b]) network.subscribe('vote', ACCEPT_ALL)
    await connect(a, b)
    const ids = [1, 2, 3, 4].map((fill) => new Uint8Array(32).fill(fill))
    const data = Buffer.from('all of it')
    const control = {
      ihave: [{ topicID: id('vote'), messageIDs: [ids[0]] }],
      iwant: [{ messageIDs: [ids[1]] }],
      graft: [{ topicID: id('block') }],
      prune: [{ topicID: id('header'), peers: [{ peerID: Buffer.from(rawId(a), 'hex') }], backoff: 60 }],
      idontwant: [{ messageIDs: [ids[2], ids[3]] }]
    }
    const subscriptions = [{ subscribe: true, topic: id('block') }]
    inside(a).sendRpc(b.network.peerId, { subscriptions, messages: [{ topic: id('vote'), data }], control })
    const isIt = ({ meta }: { meta: { messages: readonly unknown[] } }): boolean => meta.messages.length === 1
    await until('it', () => of(b, 'RECV_RPC').some(isIt))
    const meta = of(b, 'RECV_RPC').find(isIt)?.meta
    expect(plain(meta)).toEqual({
      messages: [{ messageId: idOf('vote', data), topic: id('vote') }],
      subscriptions,
      control: plain({
        ihave: [{ topic: id('vote'), messageIds: [ids[0]] }],
        iwant: [{ messageIds: [ids[1]] }],
        graft: [{ topic: id('block') }],
        prune: [{ topic: id('header'), peers: [rawId(a)] }],
        idontwant: [{ messageIds: [ids[2], ids[3]] }]
      })
    })
    expect(plain(of(a, 'SEND_RPC').find(isIt)?.meta)).toEqual(plain(meta))
  })

  it('says what gossipsub drops without a word', async () => {
    const [a, b] = [await traced(), await traced()]
    a.network.subscribe('vote', ACCEPT_ALL)
    b.network.subscribe('vote', ACCEPT_ALL)
    await connect(a, b)
    const messages = [
      { topic: 'another network', data: Buffer.from('x') },
      { topic: id('header'), data: Buffer.from('y') },
      { topic: id('vote'), data: Buffer.from('z'), seqno: new Uint8Array(8) }
    ]
    inside(a).sendRpc(b.network.peerId, { subscriptions: [], messages })
    await until('all', () => of(b, 'REJECT_MESSAGE').length === 3)
    expect(Object.fromEntries(of(b, 'REJECT_MESSAGE').map(({ topic, reason }) => [topic, reason]))).toEqual({
      'another network': 'topic not allowed',
      [id('header')]: 'not subscribed',
      [id('vote')]: 'seqno_present'
    })
  })

  it('a sink that throws harms nothing and is said once', async () => {
    const fails = (): never => {
      throw new Error('a full disk')
    }
    const [a, b] = [await traced({ trace: fails }), await traced({ trace: fails })]
    const heard: string[] = []
    a.network.subscribe('vote', ACCEPT_ALL)
    b.network.subscribe(
      'vote',
      rulesBy(
        () => 'accept',
        (bytes) => heard.push(Buffer.from(bytes).toString())
      )
    )
    await connect(a, b)
    await a.network.publish('vote', Buffer.from('still here'))
    await until('it', () => heard.length === 1)
    for (const { log } of [a, b]) expect(log.of('warn', 'gossip could not be traced')).toHaveLength(1)
  })

  it('begins after Hello with what the peer said before it', async () => {
    const [a, b] = [await traced(), await traced()]
    for (const { network } of [a, b]) network.subscribe('vote', ACCEPT_ALL)
    await connect(a, b)
    const said = of(b, 'RECV_RPC').flatMap(({ meta }) => meta.subscriptions)
    expect(said).toContainEqual({ subscribe: true, topic: id('vote') })
  })

  it('has nothing of a peer that never says hello, as gossipsub has not', async () => {
    const b = await traced({ settings: { handshakeMs: 60_000 } })
    b.network.subscribe('vote', ACCEPT_ALL)
    const stranger = await host()
    await stranger.handle('/moloch/hello/1', () => {})
    const stream = await gossipStream(await stranger.dial(multiaddr(b.address)))
    stream.send(framed(concatBytes(rpc.subscribe(id('vote')), rpc.message(id('vote'), Buffer.from('early')))))
    const a = await traced()
    a.network.subscribe('vote', ACCEPT_ALL)
    await connect(a, b)
    await a.network.publish('vote', Buffer.from('early'))
    await until('the good copy', () => of(b, 'DELIVER_MESSAGE').length === 1)
    expect(of(b, 'RECV_RPC').every(({ peer }) => hex(peer) === rawId(a))).toBe(true)
    expect(of(b, 'DUPLICATE_MESSAGE')).toEqual([])
    expect(of(b, 'SEND_RPC').every(({ peer }) => hex(peer) === rawId(a))).toBe(true)
  })
})

it('another version of gossipsub is refused by name', () => {
  const attach = () =>
    new GossipTap({}, { self: new Uint8Array(0), sink: () => {}, scoresMs: 1, batchMs: 0, log: silentLog })
  expect(attach).toThrow(TypeError)
  expect(attach).toThrow(/no msgIdFn, handleReceivedRpc.*; expected is @libp2p\/gossipsub 17\.1\.1/)
})

it('without a sink nothing of gossipsub is wrapped for a trace', async () => {
  const one = await traced({ trace: undefined })
  for (const name of ['sendRpc', 'sendRpcInBatch', 'handleReceivedRpc', 'join', 'leave', 'acceptFrom']) {
    expect(Object.hasOwn(inside(one), name), name).toBe(false)
  }
})
