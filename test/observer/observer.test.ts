import { expect, test } from 'vitest'
import { signEvent } from '../../src/chain/event.ts'
import { encodeVote, signVote, VoteType } from '../../src/chain/vote.ts'
import { joinEvents } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { silentLog } from '../../src/log.ts'
import { DEVNET_SETTINGS } from '../../src/network/settings.ts'
import type { Observation } from '../../src/observer/observations.ts'
import { Observer } from '../../src/observer/observer.ts'
import { stopLater, until } from '../network/support/hosts.ts'
import { chain, node } from '../network/support/nodes.ts'

async function observe(address: string): Promise<{ observer: Observer; seen: Observation[] }> {
  const observer = await Observer.create({
    genesis: chain().genesis,
    bootstrap: [address],
    userAgent: 'test-observer/1',
    log: silentLog,
    settings: DEVNET_SETTINGS
  })
  const seen: Observation[] = []
  observer.on('observed', (one) => seen.push(one))
  await observer.start()
  return { observer: stopLater(observer), seen }
}

test('a node has it as an observer at block 0, takes it for no source, and is refused whatever it asks', async () => {
  const { network, address } = await node({ height: 9 })
  const { observer, seen } = await observe(address)
  await until('a peer', () => observer.everJoined)
  expect(seen).toEqual([expect.objectContaining({ type: 'joined', peer: network.peerId, finalHeight: 9 })])
  await until('its status', () => network.sessions.list()[0]?.state === 'PROVIDING')
  const [peer] = network.sessions.list()
  expect(peer).toMatchObject({
    mode: 'OBSERVER',
    height: 0,
    claimedHeight: 0,
    source: false,
    points: 0,
    fault: undefined
  })
  const id = peer?.peerId as string
  await expect(network.getBlocks(id, { start: 1, count: 1 }).next()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  const votes = network.getVotes(id, { height: 1, round: 0, blockHash: new Uint8Array(0), have: [] })
  await expect(votes).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('good messages are shown once and sent on, repeated ones not, false ones rejected', async () => {
  const { network, address } = await node({ height: 9 })
  const { observer, seen } = await observe(address)
  await until('a peer', () => observer.everJoined)
  const { frames, genesis, maker } = chain()
  const [first, second] = [0, 1].map((i) =>
    signEvent(genesis.hash, maker.actors[i] as KeyPair, {
      timestamp: Date.now(),
      action: 'login',
      resource: { kind: 'account', id: 'a' },
      outcome: maker.events()[0]?.fields.outcome as never,
      metadata: []
    })
  ) as [ReturnType<typeof signEvent>, ReturnType<typeof signEvent>]
  const forged = new Uint8Array(first.bytes)
  forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1
  const finalized = frames[9] as Uint8Array
  const broken = new Uint8Array(finalized)
  broken[broken.length - 1] = (broken[broken.length - 1] as number) ^ 1
  await network.publish('events', joinEvents([first.bytes]))
  await network.publish('events', joinEvents([first.bytes, second.bytes]))
  await network.publish('events', joinEvents([second.bytes, first.bytes]))
  await network.publish('events', joinEvents([forged]))
  await network.publish('finalized', broken)
  await network.publish('finalized', finalized)
  await until('all of them', () => seen.length >= 6 && observer.counts.repeated === 1)
  expect(observer.counts).toEqual({ shown: 3, repeated: 1, rejected: 2 })
  const events = seen.flatMap((one) => (one.type === 'message' && one.message.type === 'events' ? [one.message] : []))
  expect(events.map(({ eventCount, fresh }) => [eventCount, fresh.length])).toEqual([
    [1, 1],
    [2, 1]
  ])
  const codes = seen.flatMap((one) => (one.type === 'rejected' ? [one.code] : []))
  expect(codes.sort()).toEqual(['COMMIT_BAD_SIGNATURE', 'EVENT_BAD_SIGNATURE'])
  expect(observer.finalHeight).toBe(10)
})

test('a false copy of what was seen is rejected as any, and what is long final is neither shown nor sent on', async () => {
  const { network, address } = await node({ height: 9 })
  const { observer, seen } = await observe(address)
  await until('a peer', () => observer.everJoined)
  const { frames, genesis, maker } = chain()
  const forged = (bytes: Uint8Array, at: number): Uint8Array => {
    const copy = new Uint8Array(bytes)
    copy[at] = (copy[at] as number) ^ 1
    return copy
  }
  const finalized = frames[9] as Uint8Array
  const slot = { type: VoteType.PREVOTE, height: 11, round: 0, blockHash: new Uint8Array(32).fill(5) }
  const vote = signVote(genesis.hash, maker.validators[0] as KeyPair, slot)
  const others = [1, 2].map((i) => forged(vote.signature, i))
  // Of height 2, when 9 is final.
  await network.publish('finalized', frames[1] as Uint8Array)
  await until('the old one', () => observer.counts.repeated === 1)
  await network.publish('finalized', finalized)
  await network.publish('vote', encodeVote(vote))
  await until('both', () => observer.counts.shown === 2)
  await network.publish('finalized', forged(finalized, finalized.length - 1))
  for (const signature of others) await network.publish('vote', encodeVote({ ...vote, signature: signature as never }))
  await until('the rest', () => observer.counts.rejected === 3)
  expect(observer.counts).toEqual({ shown: 2, repeated: 1, rejected: 3 })
  await observer.stop()
  expect(seen.filter(({ type }) => type === 'gap')).toEqual([])
})
