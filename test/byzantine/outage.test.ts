import { expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { honestChain, TIP } from './support/chain.ts'
import { Client } from './support/client.ts'
import { Guest } from './support/coming-and-going.ts'

/** How long nobody is there. */
const OUTAGE_MS = 30_000
/** Height of the chain when it begins. */
const BEFORE = 120

// Peers' ports are free again as soon as they stop, and nothing is dialled but them: this is a file of its own so that
// others need not wait for it.
it('after an outage of all peers the node finds them again and catches up, and nothing is started anew', async () => {
  const guests = await Promise.all([1, 2, 3].map((number) => Guest.arrive(number)))
  for (const { ports } of guests) ports.height = BEFORE
  const client = await Client.start(guests.map(({ address }) => address))
  await client.synced(BEFORE)
  const peers = async (): Promise<string[]> =>
    (await client.get('/v1/peers')).body.peers.map(({ peer_id }: { peer_id: string }) => peer_id)
  expect(new Set(await peers())).toEqual(new Set(guests.map(({ peerId }) => peerId)))

  await Promise.all(guests.map((guest) => guest.leave()))
  const began = performance.now()
  await client.until('everybody to be gone', () => client.state.peers === 0)
  expect((await client.get('/health/ready')).body).toMatchObject({ code: 'NO_PEERS' })
  await client.until('the outage to pass', () => performance.now() - began >= OUTAGE_MS, OUTAGE_MS + 5000)
  expect(client.node.height).toBe(BEFORE)

  for (const guest of guests) {
    guest.ports.height = TIP
    await guest.come()
  }
  await client.synced(TIP)
  await client.until('all peers', () => client.state.peers === guests.length)
  expect(new Set(await peers())).toEqual(new Set(guests.map(({ peerId }) => peerId)))
  expect(client.log.of('info', 'range sync starts')).toHaveLength(2)
  for (const { peerId } of guests) expect(client.verdictsOn(peerId)).toEqual([])
  const hash = toHex(honestChain().maker.head.tip.hash)
  expect(await client.stored()).toEqual({ height: TIP, hash, fault: undefined })
})
