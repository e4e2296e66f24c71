import { describe, expect, it } from 'vitest'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { until } from './support/hosts.ts'
import { connect, determined, node, type TestNode, view } from './support/nodes.ts'
import { ACCEPT_ALL } from './support/rules.ts'
import { wayTo } from './support/ways.ts'

const bare = ({ address }: TestNode): string => address.replace(/\/p2p\/.*/, '')
const warnings = ({ log }: TestNode): string[] => log.of('warn').map(({ message }) => message)
/** Of the one peer that a node has. */
const connectionsOf = (of: TestNode) => (of.network as Libp2pNetwork).host?.getConnections() ?? []

describe('two running nodes with one peer key', () => {
  it('the first is kept as it is, the second turned away, and all three say so in one line', async () => {
    const b = await node({ height: 3, keySeed: 9 })
    const first = await node({ height: 3, keySeed: 1 })
    for (const { network } of [b, first]) network.subscribe('vote', ACCEPT_ALL)
    await connect(first, b)
    const since = view(b, first)?.connectedAt

    const copy = await node({ height: 3, keySeed: 1, peerKey: first.key, bootstrap: [b.address] })
    await until('all know', () => [first, copy].every(({ network }) => network.keyInUse() !== undefined))
    await until('it was turned away', () => copy.network.sessions.list().length === 0)
    await until('one connection', () => connectionsOf(b).length === 1)
    expect(view(b, first)).toMatchObject({ state: 'SYNCED', connectedAt: since })
    expect(await first.network.publish('vote', Buffer.from('still heard'))).toBe(1)
    await until('heard', () => b.network.topics()[0]?.counts.accepted === 1)

    const id = first.network.peerId
    expect(warnings(b)).toEqual([expect.stringContaining(`two running nodes use the peer key of ${id}`)])
    for (const one of [first, copy]) {
      expect(warnings(one)).toEqual([expect.stringContaining("another running node uses this node's peer key")])
      expect(warnings(one)[0]).toContain(`peer ${b.network.peerId} at /ip4/127.0.0.1/tcp/`)
      expect(warnings(one)[0]).toContain('`moloch keys new peer`')
    }
    // It is not storming: its dialler waits, as after any refusal.
    expect(copy.log.of('debug', 'refused at hello')).toHaveLength(1)

    await first.network.stop()
    await until('its place is free', () => view(b, first) === undefined)
    await copy.network.dial(b.address)
    await determined(copy, b)
    expect(copy.network.keyInUse()).toBeUndefined()
  })

  it('a second one that the peer itself dials is turned away too', async () => {
    const first = await node({ keySeed: 1 })
    const copy = await node({ keySeed: 1, peerKey: first.key })
    const b = await node({ keySeed: 9, bootstrap: [bare(first)] })
    await determined(b, first)
    await b.network.dial(bare(copy))
    await until('both know', () => [first, copy].every(({ network }) => network.keyInUse() !== undefined))
    await until('one connection', () => connectionsOf(b).length === 1)
    expect(view(b, first)?.address).toContain(bare(first))
    expect(warnings(b)).toHaveLength(1)
  })

  it('a node that starts again where its old connection is dead and nobody was told is no copy', async () => {
    const b = await node({ height: 3, keySeed: 9, settings: { instanceMs: 100 } })
    const first = await node({ height: 1, keySeed: 1 })
    const way = await wayTo(b, '127.0.0.2')
    await first.network.dial(way.address)
    await determined(b, first)
    way.cut()
    const again = await node({ height: 2, keySeed: 1, peerKey: first.key, bootstrap: [b.address] })
    await determined(again, b)
    await until('b has the new one', () => view(b, again)?.height === 2)
    await until('one connection', () => connectionsOf(b).length === 1)
    expect(view(b, again)?.address).toContain('127.0.0.1')
    expect([b, again].flatMap(warnings)).toEqual([])
    expect(again.network.keyInUse()).toBeUndefined()
  })
})

describe('a node that is answered with its own peer id', () => {
  it('by another process says so, and where; at its own address, by whatever way, it says nothing', async () => {
    const first = await node({ keySeed: 1 })
    const copy = await node({ keySeed: 1, peerKey: first.key })
    for (const own of [copy.address, bare(copy), (await wayTo(copy, '127.0.0.3')).address]) {
      await expect(copy.network.dial(own)).rejects.toMatchObject({ code: 'DIAL_FAILED' })
      await expect(copy.network.dial(own.replace(/\/p2p\/.*/, ''))).rejects.toMatchObject({ code: 'DIAL_FAILED' })
    }
    expect(copy.network.keyInUse()).toBeUndefined()
    const other = await node({ keySeed: 9 })
    for (const of of [first.address, bare(first), `${bare(first)}/p2p/${other.network.peerId}`]) {
      await expect(copy.network.dial(of)).rejects.toMatchObject({ code: 'KEY_IN_USE' })
    }
    expect(copy.network.keyInUse()?.message).toContain(`it is at ${first.address}`)
    expect(warnings(copy)).toHaveLength(1)
    await until('so does the other', () => first.network.keyInUse() !== undefined)
    expect(warnings(first)).toEqual([expect.stringContaining('it is at /ip4/127.0.0.1/tcp/')])
  })

  it('of its bootstrap list tries again, as rarely as after a refusal', async () => {
    const first = await node({ keySeed: 1 })
    const settings = { redialFirstMs: 10, redialLastMs: 20, refusedMs: 400 }
    const copy = await node({ keySeed: 1, peerKey: first.key, bootstrap: [first.address], settings })
    await until('it says so', () => copy.network.keyInUse() !== undefined)
    await first.network.stop()
    await until('it says so no more', () => copy.network.keyInUse() === undefined)
    expect(copy.log.of('warn', 'peer key').length).toBeLessThanOrEqual(3)
  })
})
