/** Sockets on which nothing is said, before Noise: whoever fills all places from a few addresses keeps out nobody else. */
import { connect, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { until } from './support/hosts.ts'
import { node, type TestNode, view } from './support/nodes.ts'
import { wayTo } from './support/ways.ts'

const PLACES = 4
const settings = { maxPendingInbound: PLACES, maxPerIp: 4, statusIntervalMs: 60_000 }
const OPEN: ReadonlySet<string> = new Set(['DETERMINING', 'SYNCING', 'SYNCED', 'PROVIDING'])

/** A connection that says nothing. */
async function silent(to: TestNode, localAddress: string): Promise<Socket> {
  const port = Number(/\/tcp\/(\d+)/.exec(to.address)?.[1])
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  return socket
}

async function enters(target: TestNode, host: string): Promise<TestNode> {
  const peer = await node()
  await peer.network.dial((await wayTo(target, host)).address)
  await until('it is in', () => OPEN.has(view(target, peer)?.state ?? ''))
  return peer
}

it('silent sockets of two addresses have all places: who comes from elsewhere gets one, and they lose it', async () => {
  const target = await node({ settings })
  const crowd: Socket[] = []
  for (let i = 0; i < PLACES; i += 1) crowd.push(await silent(target, i % 2 === 0 ? '127.0.0.2' : '127.0.0.3'))
  await enters(target, '127.0.0.4')
  await until('one of the crowd is gone', () => crowd.filter((socket) => socket.closed).length === 1)
})

it('who is through needs no place any more', async () => {
  const target = await node({ settings: { ...settings, maxPendingInbound: 1 } })
  const peers: TestNode[] = []
  for (const host of ['127.0.0.2', '127.0.0.3', '127.0.0.4']) peers.push(await enters(target, host))
  expect(peers.map((peer) => OPEN.has(view(target, peer)?.state ?? ''))).toEqual([true, true, true])
})
