import { connect as connectSocket } from 'node:net'
import type { ConnectionGater } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import type { Host } from '../../src/network/libp2p.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { DEFAULT_SETTINGS } from '../../src/network/settings.ts'
import { host, stopLater, until } from './support/hosts.ts'
import { chain, connect, node, type TestNode, view } from './support/nodes.ts'
import { ACCEPT_ALL, rulesBy } from './support/rules.ts'
import { inside } from './support/traces.ts'

/** What a node on the Internet has, but for how fast connections come: tests do not wait for that. */
const SETTINGS = { ...DEFAULT_SETTINGS, inboundPerSecond: 1024 }
const SILENT = { subscriptionMs: 0 }

describe('peers that share their address with strangers: behind one router, proxy or load balancer', () => {
  it('are heard as before when ids have come and gone there, also more than one address has places for', async () => {
    const target = await node({ settings: SETTINGS })
    const honest = await node({ keySeed: 9 })
    const heard: string[] = []
    target.network.subscribe(
      'vote',
      rulesBy(
        () => 'accept',
        (payload) => heard.push(Buffer.from(payload).toString())
      )
    )
    honest.network.subscribe('vote', ACCEPT_ALL)
    await connect(honest, target)
    const { score } = inside(target) as unknown as { score: { size: number; scoreCache: Map<string, unknown> } }
    const before = score.size
    for (let round = 0; round < 3; round += 1) {
      const strangers = await Promise.all(Array.from({ length: 5 }, () => node({ settings: SILENT })))
      for (const stranger of strangers) await stranger.network.dial(target.address)
      await until('gossip knows them', () => score.size === before + 5 * (round + 1))
      await Promise.all(strangers.map(({ network }) => network.stop()))
      await until('they have left', () => target.network.sessions.list().length === 1)
    }
    // Scores are worked out once a second.
    score.scoreCache.clear()
    expect(view(target, honest)?.score).toBeGreaterThanOrEqual(0)
    await honest.network.publish('vote', Buffer.from('after'))
    await until('the honest peer', () => heard.includes('after'))
  })

  it('have a place beside idle connections, of as many as each id may have', async () => {
    const target = await node({ settings: { ...SETTINGS, maxPerIp: 4 } })
    const ids = await Promise.all(Array.from({ length: 4 }, () => node({ settings: SILENT })))
    for (const one of ids) {
      gaterOf(one).denyDialMultiaddr = () => false
      for (let i = 0; i < 3; i += 1) await hostOf(one).dial(multiaddr(target.address), { force: true })
    }
    await until('all of them', () => hostOf(target).getConnections().length === 12)
    await comeIn(target)
  })

  it('come in beside those who say nothing, before Hello and before Noise', async () => {
    const few = { maxPerIp: 8, maxHandshaking: 6, maxPendingInbound: 6 }
    const target = await node({ settings: { ...SETTINGS, ...few, handshakeMs: 600_000, dialMs: 600_000 } })
    const closed = { hellos: 0, sockets: 0 }
    for (let i = 0; i < 6; i += 1) {
      const mute = await host()
      mute.addEventListener('connection:close', () => (closed.hellos += 1))
      await mute.dial(multiaddr(target.address))
    }
    // Half of the places: the oldest have left.
    await until('those before Hello', () => closed.hellos === 3)
    const port = Number(/\/tcp\/(\d+)/.exec(target.address)?.[1])
    const sockets = Array.from({ length: 8 }, () => connectSocket({ port, host: '127.0.0.1' }))
    for (const socket of sockets) {
      socket.on('error', () => {}).on('close', () => (closed.sockets += 1))
      socket.resume()
      stopLater({ stop: () => socket.destroy() })
    }
    await until('those before Noise', () => closed.sockets === 4)
    await comeIn(target)
  })
})

/** A validator and, where there is room, whoever else. */
async function comeIn(target: TestNode): Promise<void> {
  const validator = await node({ chainKey: chain().maker.validators[0] as KeyPair, keySeed: 8 })
  await validator.network.dial(target.address)
  await until('the validator is in', () => isOpen(view(target, validator)?.state))
}

function isOpen(state = ''): boolean {
  return ['DETERMINING', 'SYNCING', 'SYNCED', 'PROVIDING'].includes(state)
}

function hostOf({ network }: TestNode): Host {
  return (network as Libp2pNetwork).host as Host
}

function gaterOf(of: TestNode): ConnectionGater {
  return (hostOf(of) as unknown as { components: { connectionGater: ConnectionGater } }).components.connectionGater
}
