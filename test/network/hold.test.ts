import { join } from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { PeerStore } from '../../src/store/peer-store.ts'
import { tempDir } from '../support/temp-dir.ts'
import { until } from './support/hosts.ts'
import { connect, determined, node, view } from './support/nodes.ts'

describe('peers that are held out', () => {
  it('stay out over a restart, in both directions, and come back when they are unbanned', async () => {
    const path = join(tempDir(), 'peers')
    const b = await node({ keySeed: 2 })
    let records = await PeerStore.open(path, silentLog)
    const a = await node({ keySeed: 1, records })
    await connect(a, b)
    a.network.penalise(b.network.peerId, 'BAD_SEAL', 'block 5 has a seal of somebody else')
    await until('closed', () => view(a, b) === undefined)
    await a.network.stop()
    await records.close()

    records = await PeerStore.open(path, silentLog)
    const again = await node({ peerKey: a.key, keySeed: 1, records, bootstrap: [b.address] })
    expect(again.network.held()).toMatchObject([
      { peerId: b.network.peerId, verdict: 'ban', code: 'BAD_SEAL', message: 'block 5 has a seal of somebody else' }
    ])
    await b.network.dial(again.address).catch(() => {})
    await until('let go', () => b.network.sessions.list().every(({ state }) => state === 'CONNECTING'))
    expect(again.network.sessions.list()).toEqual([])
    // Its own bootstrap peer is waited for, not failed at.
    expect(again.log.of('warn')).toEqual([])

    const pardoned: string[] = []
    again.network.on('unbanned', (peer) => pardoned.push(peer))
    expect(again.network.unban(b.network.peerId)).toBe(true)
    await determined(again, b)
    expect(pardoned).toEqual([b.network.peerId])
    expect(view(again, b)).toMatchObject({ points: 0, fault: undefined })
    await again.network.stop()
    await records.close()
  })

  it('what a peer does while its session is being ended is no news', async () => {
    const [a, b] = [await node(), await node({ keySeed: 2 })]
    await connect(a, b)
    for (let i = 0; i < 100; i++) a.network.penalise(b.network.peerId, 'REQUEST_FLOOD', 'goes on asking')
    expect(a.log.of('warn', 'peer disconnected')).toHaveLength(1)
    await until('closed', () => view(a, b) === undefined)
    // Something worse is.
    a.network.penalise(b.network.peerId, 'COMMIT_TOO_FEW', 'block 3 has a commit of one')
    expect(a.network.held()).toMatchObject([{ verdict: 'ban', code: 'COMMIT_TOO_FEW' }])
  })

  it('an id in its form as CID is the same peer', async () => {
    const [a, b] = [await node(), await node({ keySeed: 2 })]
    await connect(a, b)
    const cid = (id: string) => peerIdFromString(id).toCID().toString()
    expect(() => a.network.ban(cid(a.network.peerId), 1000, 'by mistake')).toThrow('is this node itself')
    expect(a.network.ban(cid(b.network.peerId), 60_000, 'on purpose').peerId).toBe(b.network.peerId)
    await until('closed', () => view(a, b) === undefined)
    await expect(a.network.dial(b.address)).rejects.toThrow(/is held out until 20.*; unban it first/)
    expect(a.network.unban(cid(b.network.peerId))).toBe(true)
    expect(a.network.unban(b.network.peerId)).toBe(false)
  })

  it('points and the last fault are shown while they are remembered', async () => {
    const [a, b] = [await node(), await node({ keySeed: 2 })]
    await connect(a, b)
    a.network.penalise(b.network.peerId, 'PEER_TIMEOUT', 'no whole answer for blocks 1 to 9')
    expect(view(a, b)?.points).toBeCloseTo(1, 2)
    expect(view(a, b)?.fault).toMatchObject({ code: 'PEER_TIMEOUT', message: 'no whole answer for blocks 1 to 9' })
  })
})

it('a node whose bootstrap peers are gone finds peers that it met before, also those that had dialled it', async () => {
  const path = join(tempDir(), 'peers')
  const bootstrap = await node({ keySeed: 3 })
  const other = await node({ keySeed: 2 })
  let records = await PeerStore.open(path, silentLog)
  const a = await node({ keySeed: 1, records, bootstrap: [bootstrap.address] })
  await determined(a, bootstrap)
  await other.network.dial(a.address)
  await determined(a, other)
  await until('its address to be known', () => a.network.knownPeers === 2)
  await a.network.stop()
  await records.close()
  await bootstrap.network.stop()

  records = await PeerStore.open(path, silentLog)
  const options = { records, bootstrap: [bootstrap.address], settings: { refillMs: 50, wantedPeers: 1 } }
  const again = await node({ peerKey: a.key, keySeed: 1, ...options })
  await determined(again, other)
  expect(view(again, other)?.direction).toBe('outbound')
  await again.network.stop()
  await records.close()
})
