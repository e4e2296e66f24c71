import { expect, it } from 'vitest'
import { ServedChain } from '../light/support/served-chain.ts'
import { TIP } from './support/chain.ts'
import { Client } from './support/client.ts'
import { otherChain } from './support/forked.ts'
import { ProvingPorts } from './support/proving.ts'
import { Scene, type SceneOptions } from './support/scene.ts'
import { TRUE_TIP } from './support/table.ts'

/** Chains that more than a third of the validators signed both: each alone looks right. */
const HALT = { status: 503, body: { code: 'CONFLICTING_FINALITY' } }
const LIGHT: SceneOptions = { honestAtOnce: true, settings: { mode: 'light' } }

async function expectHalted(client: Client): Promise<void> {
  expect(await client.get('/health/ready')).toMatchObject(HALT)
  const { evidence } = (await client.get('/v1/evidence')).body
  expect(evidence).toMatchObject([{ kind: 'conflict', height: TIP }])
  expect(evidence[0].validators.map(({ name }: { name: string }) => name)).toEqual(['v0', 'v1', 'v2'])
}

/** A full node that has the honest chain, and that the light node tells of headers. */
async function fullBeside(light: Client, honest: Scene['honest']): Promise<Client> {
  const full = await Client.start(honest.map(({ address }) => address))
  await full.synced(TIP)
  await fetch(`${full.node.apiUrl}/v1/peers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ address: light.node.addresses()[0] })
  })
  return full
}

async function hears(light: Client, peerId: string): Promise<void> {
  for (let heard = false; !heard; ) {
    const { topics } = (await light.get('/v1/gossip/topics')).body
    heard = topics.some(
      ({ topic, subscribers }: { topic: string; subscribers: string[] }) =>
        topic === 'header' && subscribers.includes(peerId)
    )
  }
}

async function halted(client: Client): Promise<void> {
  await client.until('a halt', () => client.log.of('error', 'follows the chain no further').length > 0)
}

it('a peer on another certified chain is found by comparison: evidence, a halt, both headers to all, for good', async () => {
  const ports = new ProvingPorts(0, new ServedChain(otherChain()))
  const { client, hostile, honest, lost } = await Scene.open(
    { ports: () => ports },
    { ...LIGHT, tuning: { crossCheckMs: 100 } }
  )
  await client.until('the tip', () => client.node.height === TIP)
  const full = await fullBeside(client, honest)
  await hears(client, full.node.peerId)

  ports.height = TIP
  hostile.network.headChanged()
  await halted(client)
  await expectHalted(client)
  await halted(full)
  await expectHalted(full)
  for (const { peerId } of [hostile.network, full.node, ...honest.map(({ network }) => network)]) {
    expect(client.verdictsOn(peerId)).toEqual([])
    expect(full.verdictsOn(peerId)).toEqual([])
  }
  expect(lost).toEqual([])

  const stored = await client.trusted()
  expect(stored).toEqual({ ...TRUE_TIP, conflict: expect.stringContaining(`height ${TIP}`) })
  const again = await Client.start(
    honest.map(({ address }) => address),
    { home: client.home, settings: { mode: 'light' } }
  )
  await expectHalted(again)
  // Whoever comes later hears of it too.
  const later = await fullBeside(again, honest)
  await halted(later)
  await expectHalted(later)
  expect(await again.trusted()).toEqual(stored)
})

it('a conflicting certified header that is gossiped halts a light node, and nobody is blamed for it', async () => {
  const { client, hostile, honest, lost } = await Scene.open({}, LIGHT)
  await client.until('the tip', () => client.node.height === TIP)
  const other = new ServedChain(otherChain()).headers[TIP - 1] as Uint8Array
  let reached = 0
  while (reached === 0) {
    reached = await hostile.network.publish('header', other)
    await hostile.pause(1)
  }
  await halted(client)
  await expectHalted(client)
  for (const { network } of [hostile, ...honest]) expect(client.verdictsOn(network.peerId)).toEqual([])
  expect(lost).toEqual([])
  expect(await client.trusted()).toEqual({ ...TRUE_TIP, conflict: expect.stringContaining(`height ${TIP}`) })
})
