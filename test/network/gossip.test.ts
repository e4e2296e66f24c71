import type { Connection, ConnectionGater, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import type { Verdict } from '../../src/chain/gossip-rules.ts'
import { concatBytes } from '../../src/codec/bytes.ts'
import type { Host } from '../../src/network/libp2p.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { host, until } from './support/hosts.ts'
import { chain, connect, node, type TestNode, view } from './support/nodes.ts'
import { framed, gossipStream, rpc } from './support/rpcs.ts'
import { ACCEPT_ALL, rulesBy } from './support/rules.ts'
import { id, inside } from './support/traces.ts'

interface Heard {
  readonly messages: { payload: string; from: string }[]
  /** Payloads that were asked about. */
  readonly asked: string[]
}

/** Subscribes to votes with one verdict for all. */
function listen(to: TestNode, verdict: Verdict | (() => Promise<Verdict>) = 'accept'): Heard {
  const messages: Heard['messages'] = []
  const asked: string[] = []
  to.network.subscribe(
    'vote',
    rulesBy(
      (payload) => {
        asked.push(Buffer.from(payload).toString())
        return typeof verdict === 'function' ? verdict() : verdict
      },
      (payload, from) => messages.push({ payload: Buffer.from(payload).toString(), from })
    )
  )
  return { messages, asked }
}

function hostOf(node: TestNode): Host {
  const { host } = node.network as Libp2pNetwork
  if (host === undefined) throw new Error('not started')
  return host
}

function gaterOf(of: TestNode): ConnectionGater {
  return (hostOf(of) as unknown as { components: { connectionGater: ConnectionGater } }).components.connectionGater
}

/** The class inside, for faults that only a test makes. */
function streams(of: TestNode): Map<string, { rawStream: Stream }> {
  const { pubsub } = hostOf(of).services
  return (pubsub as unknown as { streamsOutbound: ReturnType<typeof streams> }).streamsOutbound
}

const message = (text: string): Uint8Array => Buffer.from(text)

describe('gossip', () => {
  it('reaches a peer that is ready, once', async () => {
    const [a, b] = [await node(), await node()]
    const heard = listen(b)
    listen(a)
    await connect(a, b)
    expect(await a.network.publish('vote', message('one'))).toBe(1)
    await until('it', () => heard.messages.length === 1)
    expect(heard.messages).toEqual([{ payload: 'one', from: a.network.peerId }])
    expect(await a.network.publish('vote', message('one'))).toBe(0)
    await a.network.publish('vote', message('two'))
    await until('the second', () => heard.messages.length === 2)
  })

  it('keeps nothing of a peer that spoke none when it has left', async () => {
    const target = await node()
    const { peers, outbound, score } = inside(target) as unknown as {
      peers: Map<string, unknown>
      outbound: Map<string, unknown>
      score: { peerStats: Map<string, { connected: boolean }> }
    }
    const mute = await node()
    // libp2p learns nowhere that it would speak gossip: it does not say who it is, and takes no stream.
    await hostOf(mute).unhandle(
      hostOf(mute)
        .getProtocols()
        .filter((one) => !one.startsWith('/moloch/'))
    )
    await mute.network.dial(target.address)
    await until('gossipsub knows it', () => peers.size === 1)
    await mute.network.stop()
    await until('it has left', () => target.network.sessions.list().length === 0)
    const connected = [...score.peerStats.values()].filter((one) => one.connected)
    expect([peers.size, outbound.size, connected.length]).toEqual([0, 0, 0])
  })

  it('accept forwards; ignore and reject do not', async () => {
    for (const [verdict, forwarded] of [
      ['accept', 1],
      ['ignore', 0],
      ['reject', 0]
    ] as const) {
      const [a, b, c] = [await node(), await node(), await node()]
      listen(a)
      const middle = listen(b, verdict)
      const last = listen(c)
      await connect(a, b)
      await connect(b, c)
      await a.network.publish('vote', message(`${verdict} me`))
      await until('the middle', () => middle.messages.length === 1)
      if (forwarded > 0) await until('the end', () => last.messages.length === 1)
      // Two heartbeats later nothing more has come.
      else await new Promise((resolve) => setTimeout(resolve, 450))
      expect(last.messages).toHaveLength(forwarded)
    }
  })

  it('reject costs the sender score, ignore does not, and enough of it silences', async () => {
    const [a, b, c] = [await node(), await node(), await node()]
    let heard = 0
    const counts = new Map<string, number>()
    const heardOf = (peer: TestNode): number => counts.get(peer.network.peerId) ?? 0
    b.network.subscribe(
      'vote',
      rulesBy(
        (payload) => (Buffer.from(payload).toString().startsWith('dull') ? 'ignore' : 'reject'),
        (_, from) => {
          heard += 1
          counts.set(from, (counts.get(from) ?? 0) + 1)
        }
      )
    )
    listen(a)
    listen(c)
    await connect(a, b)
    await connect(c, b)
    await a.network.publish('vote', message('bad 1'))
    await c.network.publish('vote', message('dull 1'))
    await until('both', () => heard === 2)
    await until('a penalty', () => (view(b, a)?.score ?? 0) < -10)
    expect(view(b, c)?.score).toBeGreaterThanOrEqual(0)
    for (let i = 2; i <= 4; i += 1) await a.network.publish('vote', message(`bad ${i}`))
    await until('the graylist', () => heardOf(a) === 4 && (view(b, a)?.score ?? 0) < -80)
    // gossipsub goes on with a peer whose score was good for a second.
    await new Promise((resolve) => setTimeout(resolve, 1200))
    await c.network.publish('vote', message('dull 2'))
    await until('the other is still heard', () => heardOf(c) === 2)
    await a.network.publish('vote', message('the last'))
    await c.network.publish('vote', message('dull 3'))
    await until('the other again', () => heardOf(c) === 3)
    expect(heardOf(a)).toBe(4)
  })

  it('a validator that throws is an ignore and a warning', async () => {
    const [a, b] = [await node(), await node()]
    const heard = listen(b, () => Promise.reject(new Error('a bug')))
    listen(a)
    await connect(a, b)
    await a.network.publish('vote', message('x'))
    await until('it', () => heard.asked.length === 1)
    await until('the line', () => b.log.of('warn', 'a gossip message was not judged').length === 1)
    expect(view(b, a)?.score).toBeGreaterThanOrEqual(0)
  })

  it('a message above the limit is an error, one of the limit arrives', async () => {
    const [a, b] = [await node(), await node()]
    let got = 0
    b.network.subscribe(
      'finalized',
      rulesBy(
        () => 'accept',
        (payload) => {
          got = payload.byteLength
        }
      )
    )
    a.network.subscribe('finalized', ACCEPT_ALL)
    await connect(a, b)
    const limit = chain().genesis.params.maxBlockBytes + (64 << 10)
    await expect(a.network.publish('finalized', new Uint8Array(limit + 1))).rejects.toMatchObject({
      code: 'MESSAGE_TOO_LARGE'
    })
    expect(await a.network.publish('finalized', new Uint8Array(limit))).toBe(1)
    await until('it', () => got === limit)
  })

  it('unsubscribing ends it, and a topic has one handler', async () => {
    const [a, b] = [await node(), await node()]
    const heard: string[] = []
    const off = b.network.subscribe('vote', ACCEPT_ALL)
    expect(() => b.network.subscribe('vote', ACCEPT_ALL)).toThrow(/has a reader/)
    listen(a)
    await connect(a, b)
    off()
    await until(
      'unsubscribed',
      async_(() => a.network.publish('vote', message(`${Math.random()}`)), 0)
    )
    expect(heard).toEqual([])
  })

  it('of a peer that has not passed hello is not looked at, and does not shadow the same from one that has', async () => {
    const b = await node({ settings: { handshakeMs: 60_000 } })
    const heard = listen(b)
    const stranger = await host()
    // It speaks gossipsub, subscribes and publishes, but never says hello.
    await stranger.handle('/moloch/hello/1', () => {})
    const stream = await gossipStream(await stranger.dial(multiaddr(b.address)))
    stream.send(framed(concatBytes(rpc.subscribe(id('vote')), rpc.message(id('vote'), message('early')))))

    const a = await node()
    listen(a)
    await connect(a, b)
    await a.network.publish('vote', message('early'))
    await until('the good copy', () => heard.messages.length > 0)
    expect(heard.messages).toEqual([{ payload: 'early', from: a.network.peerId }])
  })

  it('recovers when a stream is reset while the connection stays up', async () => {
    const [a, b] = [await node(), await node()]
    const heardA = listen(a)
    const heardB = listen(b)
    await connect(a, b)
    for (const [from, to, heard, name] of [
      [a, b, heardB, 'a to b'],
      [b, a, heardA, 'b to a']
    ] as const) {
      const before = view(from, to)?.connectedAt
      streams(from).get(to.network.peerId)?.rawStream.abort(new Error('test'))
      await until('gone', () => !streams(from).has(to.network.peerId))
      await until('back', () => streams(from).get(to.network.peerId)?.rawStream.status === 'open')
      let sent = 0
      await until('heard again', () => {
        if (heard.messages.some(({ payload }) => payload.startsWith(name))) return true
        sent += 1
        void from.network.publish('vote', message(`${name} ${sent}`))
        return false
      })
      expect(view(from, to)?.connectedAt).toBe(before)
    }
  })

  it('moves to the newest connection, and stays there', async () => {
    const [a, b] = [await node(), await node()]
    const sides = [
      { from: a, to: b, heard: listen(b), newest: undefined as Connection | undefined },
      { from: b, to: a, heard: listen(a), newest: undefined as Connection | undefined }
    ]
    await connect(a, b)
    for (const side of sides) {
      hostOf(side.from).addEventListener('connection:open', ({ detail }) => {
        side.newest = detail
      })
    }
    gaterOf(a).denyDialMultiaddr = () => false
    await hostOf(a).dial(multiaddr(b.address), { force: true })
    const stream = (side: (typeof sides)[number]) => streams(side.from).get(side.to.network.peerId)?.rawStream
    const moved = () => sides.every((side) => side.newest?.streams.some((one) => one === stream(side)))
    await until('moved', moved)
    const first = sides.map(stream)
    // Four heartbeats.
    await new Promise((resolve) => setTimeout(resolve, 800))
    expect(sides.map(stream).every((one, i) => one === first[i])).toBe(true)
    for (const { from, to, heard } of sides) {
      expect(hostOf(from).getConnections(hostOf(to).peerId)).toHaveLength(2)
      await from.network.publish('vote', message(`from ${from.network.peerId}`))
      await until('heard', () => heard.messages.length === 1)
    }
  })
})

/** A condition on what an async function last gave. */
function async_<T>(ask: () => Promise<T>, wanted: T): () => boolean {
  let last: T | undefined
  let asking = false
  return () => {
    if (!asking) {
      asking = true
      void ask().then((got) => {
        last = got
        asking = false
      })
    }
    return last === wanted
  }
}
