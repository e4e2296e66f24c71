import { describe, expect, it } from 'vitest'
import { host, until } from './support/hosts.ts'
import { determined, node, view } from './support/nodes.ts'
import { ACCEPT_ALL } from './support/rules.ts'

/** Sockets and servers that keep a process alive. */
function handles(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP'))
}

describe('connections', () => {
  it('come back after the remote restarts on the same address', async () => {
    const b = await node({ height: 2 })
    const a = await node({ height: 2, bootstrap: [b.address] })
    await determined(a, b)
    const listen = [b.address.replace(/\/p2p\/.*/, '')]
    for (let restart = 0; restart < 2; restart += 1) {
      await b.network.stop()
      await until('gone', () => view(a, b) === undefined)
      const again = await node({ height: 3, peerKey: b.key, listen })
      await determined(a, again)
      expect(view(a, again)?.height).toBe(3)
      await again.network.stop()
    }
    const last = await node({ height: 4, peerKey: b.key, listen })
    await until('caught', () => view(a, last)?.height === 4)
    expect(a.log.of('warn', 'cannot be reached').length).toBeLessThanOrEqual(3)
  })

  it('an unreachable bootstrap peer is one line that names it', async () => {
    const gone = await node()
    await gone.network.stop()
    const a = await node({ bootstrap: [gone.address] })
    await until('tries', () => a.log.of('debug', 'not reached').length >= 3)
    const lines = a.log.of('warn')
    expect(lines).toHaveLength(1)
    expect(lines[0]?.message).toContain(`bootstrap peer ${gone.address} cannot be reached`)
    expect(lines[0]?.message).toContain('ECONNREFUSED')
  })

  it('a bootstrap address of another program is one line too, and is tried ever less often', async () => {
    const other = await host()
    const a = await node({ bootstrap: other.getMultiaddrs().map(String), settings: { handshakeMs: 200 } })
    await until('tries', () => a.log.of('debug', 'not reached').length >= 2)
    const lines = a.log.of('warn')
    expect(lines).toHaveLength(1)
    expect(lines[0]?.message).toContain(`${other.getMultiaddrs()[0]} cannot be reached (no hello within 200 ms)`)
    expect(a.log.of('debug', 'not reached').map(({ details }) => details.failures)).toEqual([2, 3])
  })

  it('a bootstrap address needs no peer id, and may be our own', async () => {
    const b = await node()
    const bare = b.address.replace(/\/p2p\/.*/, '')
    const a = await node({ bootstrap: [bare] })
    await determined(a, b)
    const { network, log } = b
    await network.dial(b.address).catch(({ code }) => expect(code).toBe('DIAL_FAILED'))
    expect(log.of('warn')).toEqual([])
  })

  it('a lost connection is dialled again by the one that dialled', async () => {
    const [a, b] = [await node(), await node()]
    await a.network.dial(b.address)
    await Promise.all([determined(a, b), determined(b, a)])
    const first = view(a, b)?.connectedAt
    await b.network.disconnect(a.network.peerId, 'SHUTDOWN', 'a moment')
    await until('back', () => (view(a, b)?.connectedAt ?? first) !== first)
    await determined(a, b)
  })

  it('too many from one address are turned away', async () => {
    const b = await node({ settings: { maxPerIp: 2 } })
    const peers = []
    for (let i = 0; i < 4; i += 1) {
      const a = await node()
      peers.push(a)
      await a.network.dial(b.address).catch(() => {})
    }
    await until('two were turned away', () => b.log.of('debug', 'no place for the peer').length === 2)
    await until('two are left', () => b.network.sessions.list().filter(({ state }) => state === 'SYNCED').length === 2)
  })

  it('stop() leaves no handle, whatever was under way', async () => {
    const before = handles().length
    const b = await node({ height: 5 })
    const a = await node({ height: 1, bootstrap: [b.address, '/ip4/127.0.0.1/tcp/1'] })
    await Promise.all([determined(a, b), determined(b, a)])
    a.network.subscribe('vote', ACCEPT_ALL)
    b.ports.readVotes = () => new Promise(() => {})
    const asked = a.network
      .getVotes(b.network.peerId, { height: 1, round: 0, blockHash: new Uint8Array(0), have: [] })
      .catch(({ code }) => code)
    const closed: string[] = []
    a.network.sessions.on('closed', ({ reason }) => closed.push(reason ?? ''))
    await Promise.all([a.network.stop(), b.network.stop()])
    expect(['PEER_CLOSED', 'ABORTED']).toContain(await asked)
    await until('no handles', () => handles().length <= before)
    expect(a.network.sessions.list()).toEqual([])
    expect(closed).toHaveLength(1)
    await a.network.stop()
    await expect(a.network.dial(b.address)).rejects.toMatchObject({ code: 'NOT_STARTED' })
    expect(await a.network.publish('vote', new Uint8Array(1))).toBe(0)
  })
})
