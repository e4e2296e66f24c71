import { expect, it } from 'vitest'
import { sha256 } from '../../src/crypto/sha256.ts'
import type { Network } from '../../src/network/types.ts'
import type { NodeTuning } from '../../src/node/node.ts'
import type { TestNode } from '../network/support/nodes.ts'
import { honestHeader, otherHeader, otherSeal } from './support/bad-headers.ts'
import { honestChain, TIP } from './support/chain.ts'
import type { Client } from './support/client.ts'
import { OUTSIDER } from './support/forge.ts'
import { ProvingPorts } from './support/proving.ts'
import { Scene } from './support/scene.ts'
import { dealingsIn, justDealings, TRUE_TIP } from './support/table.ts'

/** A light node one header below what the honest peers will gossip; nobody serves that header. */
async function behind(tuning?: NodeTuning): Promise<Scene> {
  const scene = await Scene.open(
    { ports: () => new ProvingPorts(TIP - 1) },
    { honestHeight: TIP - 1, honestAtOnce: true, settings: { mode: 'light' }, tuning }
  )
  await scene.client.until('the tip', () => scene.client.node.height === TIP - 1)
  return scene
}

/** Until it reaches somebody: before subscriptions are known it reaches nobody. */
async function publish({ hostile }: Scene, network: Network, header: Uint8Array): Promise<void> {
  while ((await network.publish('header', header)) === 0) await hostile.pause(1)
}

function rejectedFrom(client: Client, peer: string): number {
  return client.log.of('debug', 'gossip message rejected').filter(({ details }) => details.peer === peer).length
}

/** gossipsub's: it is worked out a little later. */
async function scoreOf(client: Client, peer: string): Promise<number> {
  const { peers } = (await client.get('/v1/peers')).body
  return peers.find(({ peer_id }: { peer_id: string }) => peer_id === peer).score
}

const someRoot = (number: number) => sha256(Uint8Array.of(number)) as Uint8Array<ArrayBuffer>

/** What no honest node passes on; none is like another. */
const BAD: Readonly<Record<string, (number: number) => Uint8Array>> = {
  'too few signatures': (number) => otherHeader(TIP, { signers: [0, 1], mmrRoot: someRoot(number) }),
  'one signer twice': (number) => {
    const [a, b] = honestChain().maker.validators
    return otherHeader(TIP, { keys: [a, b, b] as never, mmrRoot: someRoot(number) })
  },
  // The commit says nothing of it.
  'a forged seal': () => otherSeal(TIP),
  'a height that there is not': (number) =>
    otherHeader(TIP, { header: { height: 10_000 + number }, keys: [OUTSIDER, OUTSIDER, OUTSIDER] }),
  'a field more': (number) => Buffer.concat([honestHeader(TIP), Uint8Array.of((14 << 3) | 0, number & 127)]),
  'more bytes than a header has': (number) => new Uint8Array(8192).fill(number),
  garbage: (number) => new Uint8Array(200).fill(number)
}

/** Under no signature: who does not hold the chain passes it on in good faith. */
const falseRoot = (number: number) => otherHeader(TIP, { mmrRoot: someRoot(number) })

it.each(Object.entries(BAD))(
  'gossip of headers with %s is rejected, and keeps the true one from nobody',
  async (_, make) => {
    const scene = await behind()
    const { client, hostile, honest } = scene
    await publish(scene, hostile.network, make(1))
    await client.until('a rejection', () => rejectedFrom(client, hostile.peerId) > 0)
    expect(client.node.height).toBe(TIP - 1)
    while ((await scoreOf(client, hostile.peerId)) >= 0) await hostile.pause(5)

    await publish(scene, (honest[0] as TestNode).network, honestHeader(TIP))
    await client.until('the true header', () => client.node.height === TIP)
    expect(await dealingsIn(scene, [], 0)).toEqual(justDealings([]))
    expect(await client.trusted()).toEqual({ ...TRUE_TIP, conflict: undefined })
  }
)

it('gossip of a header with another root after the block is not followed, costs its sender nothing, and keeps the true one from nobody', async () => {
  const scene = await behind()
  const { client, hostile, honest } = scene
  await publish(scene, hostile.network, falseRoot(1))
  while ((await client.get('/v1/gossip/stats')).body.topics.header.ignored === 0) await hostile.pause(5)
  expect(client.node.height).toBe(TIP - 1)
  await publish(scene, (honest[0] as TestNode).network, honestHeader(TIP))
  await client.until('the true header', () => client.node.height === TIP)
  expect(rejectedFrom(client, hostile.peerId)).toBe(0)
  expect(await dealingsIn(scene, [], 0)).toEqual(justDealings([]))
  expect(await client.trusted()).toEqual({ ...TRUE_TIP, conflict: undefined })
})

it('a flood of bad headers holds up nobody else’s', async () => {
  const scene = await behind()
  const { client, hostile, honest } = scene
  const kinds = [...Object.values(BAD), falseRoot]
  for (let i = 0; i < 700; i++) {
    await hostile.network.publish('header', (kinds[i % kinds.length] as (typeof kinds)[number])(i))
    if (i % 25 === 0) await hostile.pause(1)
  }
  await publish(scene, (honest[0] as TestNode).network, honestHeader(TIP))
  await client.until('the true header', () => client.node.height === TIP)
  expect(rejectedFrom(client, hostile.peerId)).toBeGreaterThan(0)
  expect(await dealingsIn(scene, [], 0)).toEqual(justDealings([]))
  expect(client.isBounded, JSON.stringify(client.most)).toBe(true)
  expect(await client.trusted()).toEqual({ ...TRUE_TIP, conflict: undefined })
})

it('who passes a header on is asked at once for what rests on it, before its Status says that it has it', async () => {
  // Nor does the answer to its own Status say so.
  const scene = await behind({ network: { statusPushMs: 60_000 } })
  const { client, honest } = scene
  const [first] = honest as [TestNode]
  first.ports.height = TIP
  await publish(scene, first.network, honestHeader(TIP))
  await client.until('the header', () => client.node.height === TIP)
  expect(await client.get(`/v1/proofs/headers/5?anchor=${TIP}`)).toMatchObject({ status: 200 })
  expect(await dealingsIn(scene, [], 0)).toEqual(justDealings([]))
})
