import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { until } from '../network/support/hosts.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { badBlock, serving } from './support/bad-blocks.ts'
import { claiming } from './support/bad-claims.ts'
import * as wire from './support/bad-wire.ts'
import { honestChain, TIP } from './support/chain.ts'
import { Client } from './support/client.ts'
import { Guest, SlowPorts } from './support/coming-and-going.ts'
import { flipped } from './support/forge.ts'
import { HostilePeer, type Role } from './support/hostile.ts'
import { SHORT_TIMES, STEP_MS } from './support/short-times.ts'

async function expectHonestChain(client: Client): Promise<void> {
  expect(client.isBounded, JSON.stringify(client.most)).toBe(true)
  const hash = toHex(honestChain().maker.head.tip.hash)
  expect(await client.stored()).toEqual({ height: TIP, hash, fault: undefined })
}

async function hostilePeers(roles: readonly (() => Role)[]): Promise<HostilePeer[]> {
  return Promise.all(
    roles.map(async (role) => {
      const peer = new HostilePeer(() => {})
      await peer.start(role())
      return peer
    })
  )
}

const silent = (): Role => wire.silent('asked')
const withholding = (): Role => serving(() => [])
const breaking = (): Role =>
  badBlock(
    (forge, height) => forge.uncertified(height, { seal: flipped }),
    ({ start }) => start
  )
const limiting = (): Role => wire.limiting(2 ** 32 - 1)

describe('beside nobody but hostile peers a node waits, says why, and goes on by itself when an honest one comes', () => {
  it.each([
    ['all silent', 'PEERS_FAILING', [silent, silent, silent]],
    ['all withholding', 'PEERS_FAILING', [withholding, withholding, withholding]],
    ['all banned', 'NO_PEERS', [breaking, breaking, breaking]],
    ['all limiting', 'RATE_LIMITED', [limiting, limiting, limiting]],
    ['one of each', 'PEERS_FAILING', [silent, withholding, breaking, limiting]]
  ] as const)('%s: %s', async (_, code, roles) => {
    const hostile = await hostilePeers(roles)
    const client = await Client.start(
      hostile.map(({ address }) => address),
      { tuning: { network: SHORT_TIMES, sync: { stallAfterMs: 3 * STEP_MS } } }
    )
    await client.until('every deed', () => hostile.every(({ deeds }) => deeds > 0))
    await client.until('the reason', () => client.state.stalled?.code === code)
    const { stalled } = (await client.get('/v1/sync')).body
    expect(stalled).toMatchObject({ code })
    expect(stalled.message).toContain(`block 1 of ${TIP}`)
    // What the log says first is what is read first.
    expect(client.log.of('warn', 'sync is stalled')[0]?.details).toMatchObject({ code })
    expect(client.node.height).toBe(0)

    const honest = await Guest.arrive(1)
    await honest.dial(client.node.addresses()[0] as string)
    await client.synced(TIP)
    expect(client.state.stalled).toBeUndefined()
    expect(client.verdictsOn(honest.peerId)).toEqual([])
    await expectHonestChain(client)
  })
})

it('one honest peer is enough among a dozen hostile ones', async () => {
  const crowd = [
    silent,
    withholding,
    breaking,
    limiting,
    () => wire.trickle('asked'),
    () => wire.slowFrames('asked', 200),
    () => wire.stallInTheMiddle('asked'),
    wire.resetInTheMiddle,
    wire.endlessAnswer,
    wire.oversizedFrame,
    wire.garbage,
    () => claiming(() => undefined)
  ]
  const hostile = await hostilePeers(crowd)
  const honest = await Guest.arrive(1)
  const client = await Client.start([...hostile, honest].map(({ address }) => address))
  await client.synced(TIP)
  expect(hostile.filter(({ deeds }) => deeds > 0).length).toBeGreaterThan(crowd.length / 2)
  expect(client.verdictsOn(honest.peerId)).toEqual([])
  expect(client.most.targetHeight).toBe(TIP)
  await expectHonestChain(client)
})

describe('peers that come and go', () => {
  const first = runs(1).seed ?? 1
  const seeds = Array.from({ length: runs(3).numRuns }, (_, i) => first + i)

  it.each(seeds)('at random cost time and nothing else (MOLOCH_SEED=%i)', async (seed) => {
    const random = new Random(seed)
    const guests = await Promise.all([1, 2, 3, 4].map((number) => Guest.arrive(number, new SlowPorts(10))))
    const client = await Client.start(guests.map(({ address }) => address))
    let visits = 0
    for (let i = 0; i < 24 && client.node.height < TIP; i++) {
      const guest = random.pick(guests)
      await (guest.isHere ? guest.leave() : guest.come())
      visits++
      // Meanwhile blocks come, or not: the next one moves in any case.
      const { height } = client.node
      await until('a block', () => client.node.height > height, 50 + random.below(200)).catch(() => {})
    }
    expect(visits).toBeGreaterThan(3)
    for (const guest of guests) if (!guest.isHere) await guest.come()
    await client.synced(TIP)
    for (const { peerId } of guests) expect(client.verdictsOn(peerId)).toEqual([])
    await expectHonestChain(client)
  })
})

describe('an honest peer that is slow', () => {
  it('alone is waited for', async () => {
    const slow = await Guest.arrive(1, new SlowPorts(5))
    const client = await Client.start([slow.address])
    await client.synced(TIP)
    expect(client.verdictsOn(slow.peerId)).toEqual([])
    expect(client.stalls).toEqual([])
    await expectHonestChain(client)
  })

  it('holds up nobody beside fast ones, and is not blamed', async () => {
    const slow = await Guest.arrive(1, new SlowPorts(200))
    const fast = await Guest.arrive(2)
    const client = await Client.start([slow.address, fast.address])
    await client.synced(TIP)
    // Both were asked, and what the slow one did not bring in time the fast one did.
    expect(slow.ports.read).toBeGreaterThan(0)
    expect(fast.ports.read).toBeGreaterThan(slow.ports.read)
    for (const { peerId } of [slow, fast]) expect(client.verdictsOn(peerId)).toEqual([])
    await expectHonestChain(client)
  })
})
