import { encode } from 'it-length-prefixed'
import { describe, expect, it, vi } from 'vitest'
import { scope } from '../../src/chain/genesis.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { pushInterval } from '../../src/network/status-exchange.ts'
import { protocolId } from '../../src/network/topics.ts'
import { until } from './support/hosts.ts'
import { ChainPorts, chain, connect, determined, node, view } from './support/nodes.ts'

describe('status', () => {
  it('places both sides: behind is SYNCING, ahead is PROVIDING', async () => {
    const [a, b] = [await node({ height: 4 }), await node({ height: 9 })]
    await connect(a, b)
    expect(view(a, b)).toMatchObject({ state: 'SYNCING', height: 9, claimedHeight: 9 })
    expect(view(b, a)).toMatchObject({ state: 'PROVIDING', height: 4 })
    // We caught up with it: at once, whatever it says.
    a.ports.height = 9
    a.network.headChanged()
    expect(view(a, b)?.state).toBe('SYNCED')
    await until('the other side', () => view(b, a)?.state === 'SYNCED')
  })

  it('is pushed soon after the tip moved, and one side’s push tells both', async () => {
    const [a, b] = [await node({ height: 1 }), await node({ height: 1 })]
    await connect(a, b)
    for (let height = 2; height <= 6; height += 1) {
      for (const { ports, network } of [a, b]) {
        ports.height = height
        network.headChanged()
      }
      await until(`both at ${height}`, () => view(a, b)?.height === height && view(b, a)?.height === height)
      expect([view(a, b)?.state, view(b, a)?.state]).toEqual(['SYNCED', 'SYNCED'])
    }
  })

  it('is pushed less often the more peers there are', () => {
    expect([1, 20, 100].map((peers) => pushInterval(1000, peers))).toEqual([1000, 1000, 5000])
  })

  it('does not flood: a thousand moves are a few pushes', async () => {
    const [a, b] = [await node({ height: 1 }), await node({ height: 1 })]
    await connect(a, b)
    let updates = 0
    b.network.sessions.on('update', () => {
      updates += 1
    })
    for (let i = 0; i < 1000; i += 1) {
      a.ports.height = 2 + (i % 10)
      a.network.headChanged()
    }
    a.ports.height = 12
    a.network.headChanged()
    await until('the last height', () => view(b, a)?.height === 12)
    expect(updates).toBeLessThan(6)
  })

  it('tells of more history as well, and less often', async () => {
    const [a, b] = [await node({ height: 1 }), await node({ height: 1 })]
    a.ports.lie = { earliestHeight: 900 }
    await connect(a, b)
    expect(view(b, a)?.earliestHeight).toBe(900)
    let updates = 0
    b.network.sessions.on('update', () => {
      updates += 1
    })
    for (let earliestHeight = 899; earliestHeight >= 400; earliestHeight -= 1) {
      a.ports.lie = { earliestHeight }
      a.network.headChanged()
    }
    await until('the earliest height', () => view(b, a)?.earliestHeight === 400)
    expect(updates).toBe(1)
  })

  it('of more history is no reason to wait with a new tip', async () => {
    const settings = { statusPushMs: 1000 }
    const [a, b] = [await node({ height: 1, settings }), await node({ height: 1, settings })]
    await connect(a, b)
    // Due in ten seconds.
    a.ports.lie = { earliestHeight: 300 }
    a.network.headChanged()
    a.ports.height = 2
    a.network.headChanged()
    await until('the new tip', () => view(b, a)?.height === 2, 5000)
    expect(view(b, a)?.earliestHeight).toBe(300)
  })

  it('a height without a good commit does not count, and costs points', async () => {
    const liar = new ChainPorts(9)
    liar.lie = { commit: new ChainPorts(8).head().commit }
    const [a, b] = [await node({ height: 4 }), await node({ ports: liar })]
    await connect(a, b)
    expect(view(a, b)).toMatchObject({ height: 0, claimedHeight: 9, state: 'PROVIDING' })
    expect(a.log.of('debug', 'peer penalised')[0]?.message).toContain('height 9 does not count')
    expect(view(b, a)?.height).toBe(4)
  })

  it('a Status that declares more bytes than one has is a fault, and not a bad link', async () => {
    const [a, b] = [await node({ height: 4 }), await node({ height: 4 })]
    const { host } = b.network as Libp2pNetwork
    const protocol = protocolId(scope(chain().genesis), 'status')
    await host?.unhandle(protocol)
    await host?.handle(protocol, (stream) => {
      stream.send(encode.single(new Uint8Array(1 << 20), { maxDataLength: 1 << 20 }))
    })
    await a.network.dial(b.address)
    await until('a verdict', () => a.log.of('warn', 'peer disconnected').length > 0)
    expect(a.log.of('warn', 'peer disconnected')[0]?.details).toMatchObject({ code: 'FRAME_TOO_LARGE' })
  })

  it('a peer that shows a certified block in another way is followed', async () => {
    const [a, b] = [await node({ height: 4 }), await node({ height: 4 })]
    await connect(a, b)
    a.network.peerHas(b.network.peerId, 7)
    expect(view(a, b)).toMatchObject({ state: 'SYNCING', height: 7 })
    a.network.peerHas(b.network.peerId, 5)
    expect(view(a, b)?.height).toBe(7)
    a.network.peerHas('nobody', 5)
  })

  it('comes every interval, and a peer without any is closed', async () => {
    const settings = { statusIntervalMs: 200, statusMisses: 3 }
    const [a, b] = [await node({ height: 4, settings }), await node({ height: 4, settings })]
    await connect(a, b)
    const first = view(a, b)?.statusAt ?? 0
    await until('another status', () => (view(a, b)?.statusAt ?? 0) > first)
    // It answers nothing more: its status is no status.
    b.ports.lie = { hash: new Uint8Array(5) }
    await until('closed', () => a.network.sessions.list().length === 0)
    expect(a.log.of('debug', 'session closed').length).toBeGreaterThan(0)
  })

  it('a clock that is set closes nobody', async () => {
    const settings = { statusIntervalMs: 200, statusMisses: 3 }
    const [a, b] = [await node({ height: 4, settings }), await node({ height: 4, settings })]
    await connect(a, b)
    const [first, now] = [view(a, b), Date.now]
    vi.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000)
    try {
      await until('two more', () => (view(a, b)?.statusAt ?? 0) > (first?.statusAt ?? 0) + 3_600_250)
    } finally {
      vi.restoreAllMocks()
    }
    expect(view(a, b)?.connectedAt).toBe(first?.connectedAt)
    expect([a, b].flatMap(({ log }) => log.of('debug', 'session closed'))).toEqual([])
  })

  it('tells the sender’s clock, which is held against a monotonic one: how far apart two are shows when one is set', async () => {
    let offset = 0
    const settings = { statusIntervalMs: 100 }
    const [a, b] = [
      await node({ height: 4, settings }),
      await node({ height: 4, settings, wallClock: () => Date.now() + offset })
    ]
    await connect(a, b)
    const ahead = (): number => {
      const { at, unix } = view(a, b)?.clock ?? { at: 0, unix: Number.NaN }
      return unix + performance.now() - at - Date.now()
    }
    const error = (): number => view(a, b)?.clock?.errorMs ?? 0
    expect(Math.abs(ahead())).toBeLessThanOrEqual(error() + 1000)
    offset = 3_600_000
    await until('the clock that was set', () => ahead() > 1_800_000)
    expect(Math.abs(ahead() - offset)).toBeLessThanOrEqual(error() + 1000)
  })

  it('answers with what is shown: mode, earliest height, syncing, peers', async () => {
    const ports = new ChainPorts(9)
    ports.lie = { syncing: true, earliestHeight: 3 }
    const [a, b] = [await node({ height: 9 }), await node({ ports, mode: 'LIGHT' })]
    await connect(a, b)
    expect(view(a, b)).toMatchObject({ syncing: true, earliestHeight: 3, mode: 'LIGHT', source: false, peerCount: 1 })
    await determined(b, a)
  })
})
