import { connect as connectSocket, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { stopLater, until } from './support/hosts.ts'
import { ChainPorts, chain, node, type TestNode, view } from './support/nodes.ts'
import { wayTo } from './support/ways.ts'

const OPEN: ReadonlySet<string> = new Set(['DETERMINING', 'SYNCING', 'SYNCED', 'PROVIDING'])

const by = async (host: string, to: TestNode): Promise<string> => (await wayTo(to, host)).address
const holds = (target: TestNode, peer: TestNode): boolean => OPEN.has(view(target, peer)?.state ?? '')
const sessions = (of: TestNode): number => of.network.sessions.list().filter(({ state }) => OPEN.has(state)).length

describe('a node whose places are all taken', () => {
  it('by idle sessions from two addresses, has one for a stranger from elsewhere and for a validator, and keeps them', async () => {
    const target = await node({ settings: { maxConnections: 6, maxPerIp: 4, statusIntervalMs: 60_000 } })
    const ways = [await by('127.0.0.2', target), await by('127.0.0.3', target)]
    const idle = async (): Promise<void> => {
      for (const way of ways) await (await node()).network.dial(way)
    }
    for (let i = 0; i < 3; i += 1) await idle()
    await until('all places are taken', () => sessions(target) === 6)

    const stranger = await node({ keySeed: 9 })
    await stranger.network.dial(await by('127.0.0.4', target))
    await until('the stranger is in', () => holds(target, stranger))
    // From an address of the crowd, whose share is taken.
    const validator = await node({ chainKey: chain().maker.validators[0] as KeyPair, keySeed: 8 })
    await validator.network.dial(ways[0] as string)
    await until('the validator is in', () => holds(target, validator))
    await until('as many as there are places', () => sessions(target) <= 6)

    for (let i = 0; i < 3; i += 1) await idle()
    const turnedAway = () => target.log.of('debug', 'no place for the peer').length
    await until('more were turned away', () => turnedAway() >= 5)
    await until('as many as there are places', () => sessions(target) <= 6)
    expect([holds(target, stranger), holds(target, validator)]).toEqual([true, true])
  })

  it('by sockets that say nothing, from two addresses, has one for who comes from elsewhere', async () => {
    const target = await node({ settings: { maxPendingInbound: 6, maxPerIp: 8, dialMs: 3_600_000 } })
    const port = Number(/\/tcp\/(\d+)/.exec(target.address)?.[1])
    const silent: Socket[] = []
    const closed = (): number => silent.filter((socket) => socket.closed).length
    stopLater({
      stop: () => {
        for (const socket of silent) socket.destroy()
      }
    })
    const from = (localAddress: string): Socket => {
      const socket = connectSocket({ port, host: '127.0.0.1', localAddress }).on('error', () => {})
      silent.push(socket.resume())
      return socket
    }
    const crowd = (count: number): void => {
      for (let i = 0; i < count; i += 1) from(`127.0.0.${2 + (i % 2)}`)
    }
    // Silent as well, but alone at its address. A time-out would be its end before any other's.
    const alone = from('127.0.0.9')
    await until('it is there', () => !alone.connecting)
    crowd(20)
    await until('as many as there are places', () => silent.length - closed() <= 6)
    const honest = await node({ settings: { dialMs: 60_000 } })
    await honest.network.dial(await by('127.0.0.4', target))
    await until('the honest peer is in', () => holds(target, honest))
    // Those who wait make room for it, and it makes none for more of them.
    crowd(20)
    await until('as many as there are places', () => silent.length - closed() <= 6)
    expect(holds(target, honest)).toBe(true)
    expect(closed()).toBeGreaterThanOrEqual(34)
    expect(alone.closed).toBe(false)
  })

  it('before hello, has one for who comes from elsewhere', async () => {
    const settings = { maxHandshaking: 3, handshakeMs: 60_000 }
    const target = await node({ ports: new ChainPorts(0), settings })
    const port = Number(/\/tcp\/(\d+)/.exec(target.address)?.[1])
    const crowd = await by('127.0.0.2', target)
    for (let i = 0; i < 5; i += 1) {
      const silent = await node({ settings: { handshakeMs: 60_000 } })
      const { host } = silent.network as unknown as { host: { unhandle(one: string): Promise<void> } }
      await host.unhandle('/moloch/hello/1')
      await silent.network.dial(crowd).catch(() => {})
    }
    expect(port).toBeGreaterThan(0)
    const honest = await node()
    await honest.network.dial(await by('127.0.0.4', target))
    await until('the honest peer is in', () => holds(target, honest))
  })
})
