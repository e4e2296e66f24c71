import { createServer } from 'node:net'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { multiaddr } from '@multiformats/multiaddr'
import { Key } from 'interface-datastore'
import { describe, expect, it } from 'vitest'
import { localOnly } from '../../src/network/addresses.ts'
import { DialGate } from '../../src/network/dial-gate.ts'
import { found } from '../../src/network/follow.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import type { Parts } from '../../src/network/parts.ts'
import { PeerMemory } from '../../src/network/peer-memory.ts'
import { stopLater, until } from './support/hosts.ts'
import { connect, determined, node, type TestNode, view } from './support/nodes.ts'
import { ACCEPT_ALL } from './support/rules.ts'
import { id, inside } from './support/traces.ts'

interface ThirdParty {
  readonly port: number
  /** Connections that somebody made to it. */
  readonly connects: number
}

/** Somebody who has nothing to do with it all, at two addresses of 127.0.0.0/8. */
async function thirdParty(): Promise<ThirdParty> {
  const seen = { port: 0, connects: 0 }
  for (const host of ['127.0.0.1', '127.0.0.9']) {
    const server = createServer((socket) => {
      seen.connects += 1
      socket.on('error', () => {})
      socket.destroy()
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(seen.port, host, resolve)
    })
    stopLater({ stop: () => new Promise((resolve) => server.close(resolve)) })
    seen.port = (server.address() as { port: number }).port
  }
  return seen
}

/** What a stranger would have us dial. */
const placesOf = ({ port }: ThirdParty): string[] => [
  `/ip4/127.0.0.1/tcp/${port}`,
  `/ip4/127.0.0.9/tcp/${port}`,
  `/dns4/localhost/tcp/${port}`
]

async function recordOf(addresses: readonly string[]) {
  const key = await generateKeyPair('Ed25519')
  const peerId = peerIdFromPrivateKey(key)
  const record = new PeerRecord({ peerId, multiaddrs: addresses.map((one) => multiaddr(one)) })
  const envelope = await RecordEnvelope.seal(record, key)
  return { peerID: peerId.toMultihash().bytes, signedPeerRecord: envelope.marshal() }
}

async function heartbeats(of: TestNode, count: number): Promise<void> {
  const { host } = of.network as Libp2pNetwork
  let seen = 0
  host?.services.pubsub.addEventListener('gossipsub:heartbeat', () => {
    seen += 1
  })
  await until('heartbeats', () => seen >= count)
}

const message = (text: string): Uint8Array => Buffer.from(text)

describe('what is dialled', () => {
  it('is nobody that a peer names in a prune, however good its score', async () => {
    const [attacker, target, third] = [await node(), await node(), await thirdParty()]
    const topics = ['vote', 'events'] as const
    for (const { network } of [attacker, target]) {
      for (const topic of topics) network.subscribe(topic, ACCEPT_ALL)
    }
    await connect(attacker, target)
    for (let i = 0; i < 20; i += 1) {
      for (const topic of topics) await attacker.network.publish(topic, message(`good ${i}`))
    }
    await until('a good score', () => (view(target, attacker)?.score ?? 0) > 10)

    const peers = await Promise.all(Array.from({ length: 8 }, () => recordOf(placesOf(third))))
    const bare = { peerID: peers[0]?.peerID }
    for (const named of [peers, [bare]]) {
      const prune = [{ topicID: id('vote'), peers: named, backoff: 60 }]
      const control = { ihave: [], iwant: [], graft: [], prune, idontwant: [] }
      inside(attacker).sendRpc(target.network.peerId, { subscriptions: [], messages: [], control })
    }
    // The prune has been acted upon: the attacker is out of the mesh.
    await until('pruned', () => !inside(target).getMeshPeers(id('vote')).includes(attacker.network.peerId))
    await heartbeats(target, 4)
    expect(third.connects).toBe(0)
  })

  it('is nobody that a peer says it is, while it is there and when it has left', async () => {
    const third = await thirdParty()
    const attacker = await node({ announce: placesOf(third).slice(1) })
    const target = await node({ settings: { refillMs: 100 } })
    await connect(attacker, target)
    await attacker.network.stop()
    await until('gone', () => view(target, attacker) === undefined)
    await heartbeats(target, 5)
    expect(third.connects).toBe(0)
    expect(target.network.knownPeers).toBe(1)
  })

  it('passes one gate, which knows what this node itself has chosen', async () => {
    const [a, b] = [await node(), await node()]
    const { host } = a.network as Libp2pNetwork
    await expect(host?.dial(multiaddr(b.address))).rejects.toThrow(/denied/)
    await a.network.dial(b.address)
    await determined(a, b)
    expect(await host?.peerStore.get((b.network as Libp2pNetwork).host?.peerId as never)).toMatchObject({
      addresses: []
    })
  })

  it('of a dnsaddr is what its record names, and that of no other', async () => {
    const gate = new DialGate()
    const [chosen, other] = ['/dnsaddr/chosen.example', '/dnsaddr/other.example'].map((one) => multiaddr(one))
    const dns = {
      query: async (name: string) => ({
        Answer: [{ data: `dnsaddr=/ip4/${name === '_dnsaddr.chosen.example' ? '10.0.0.1' : '10.0.0.2'}/tcp/1` }]
      })
    }
    const resolve = (address = chosen) => gate.resolver.resolve(address as never, { dns } as never)
    const named = [multiaddr('/ip4/10.0.0.1/tcp/1'), multiaddr('/ip4/10.0.0.2/tcp/1')]
    const allowed = (): boolean[] => named.map((address) => gate.allows(address))
    await resolve()
    expect(allowed()).toEqual([false, false])
    await gate.choose(chosen as never, async () => {
      await resolve()
      await resolve(other)
      expect(allowed()).toEqual([true, false])
    })
    expect(allowed()).toEqual([false, false])
    await expect(gate.choose(named[0] as never, () => Promise.reject(new Error('in vain')))).rejects.toThrow()
    expect(allowed()).toEqual([false, false])
  })

  it('of what mDNS finds is what can be on the local network, a few', () => {
    const peerId = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf'
    const said = [
      '/ip4/192.168.1.7/tcp/9645',
      '/ip4/93.184.216.34/tcp/443',
      '/dns4/example.com/tcp/443',
      '/ip6/fe80::1/tcp/9645',
      '/ip6/2606:2800:220:1::1/tcp/443'
    ].map((one) => multiaddr(one))
    const local = [`/ip4/192.168.1.7/tcp/9645/p2p/${peerId}`, `/ip6/fe80::1/tcp/9645/p2p/${peerId}`]
    expect(localOnly(said, peerId)).toEqual(local)
    const many = Array.from({ length: 100 }, (_, i) => multiaddr(`/ip4/10.0.0.1/tcp/${i + 1}`))
    expect(localOnly(many, peerId)).toHaveLength(8)
    const added: unknown[][] = []
    const dialer = { add: (...given: unknown[]) => added.push(given) }
    found({ dialer } as unknown as Parts, { id: { toString: () => peerId } as never, multiaddrs: said })
    expect(added).toEqual(local.map((address) => [address, { peerId, quiet: true }]))
  })
})

describe('libp2p’s peer store', () => {
  it('keeps so many, those that were used last, and always our own row', async () => {
    const self = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    const store = new PeerMemory(3, self)
    const own = new Key(`/peers/${self.toCID()}`)
    const others = [0, 1, 2, 3, 4].map((i) => new Key(`/peers/${i}`))
    const put = (key: Key) => store.put(key, new Uint8Array(1))
    put(own)
    for (const key of others.slice(0, 3)) put(key)
    store.get(others[0] as Key)
    for (const key of others.slice(3)) put(key)
    expect([own, ...others].map((key) => store.has(key))).toEqual([true, true, false, false, true, true])
    store.delete(others[0] as Key)
    put(others[1] as Key)
    expect([own, ...others].map((key) => store.has(key))).toEqual([true, false, true, false, true, true])
  })
})
