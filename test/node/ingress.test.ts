import { describe, expect, test } from 'vitest'
import { type CheckedEvent, checkEvent } from '../../src/chain/event.ts'
import { createGenesis, type Genesis } from '../../src/chain/genesis.ts'
import { checkEventsMessage } from '../../src/chain/gossip-events.ts'
import { Mempool } from '../../src/chain/mempool.ts'
import { VerifiedEvents } from '../../src/chain/verified-events.ts'
import { vouchedEvents } from '../../src/chain/voucher.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { joinEvents } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { EventIngress, type IngressPorts } from '../../src/node/ingress.ts'
import { keyOf, testChain, testEvent } from '../chain/fixture.ts'
import { mempoolLimits } from '../chain/support/mempool-limits.ts'
import { judge } from '../support/judge.ts'

const LIMITS = mempoolLimits({ maxEvents: 16, maxPerCaller: 2, unvouchedShare: 1 / 8 })

function setUp(changes: Partial<IngressPorts> = {}) {
  const chain = testChain()
  const mempool = new Mempool(LIMITS)
  const saved: CheckedEvent[] = []
  const offered: CheckedEvent[] = []
  let added = 0
  const event = testEvent(chain, 1)
  const { genesis = chain.genesis } = changes
  const verified = new VerifiedEvents(genesis.hash, VerifiedEvents.memoryFor(64))
  const ingress = new EventIngress({
    genesis,
    mempool,
    verified,
    checkMessage: (payload) =>
      checkEventsMessage(genesis, payload, { isSigned: (one) => verified.isSigned(one), giveWay: async () => {} }),
    isFinalized: () => false,
    fateOf: async () => 'expired',
    save: async (events) => void saved.push(...events),
    offer: (one) => offered.push(one),
    added: () => void added++,
    halt: () => undefined,
    chainTime: () => ({ now: event.fields.timestamp, tip: 0 }),
    ...changes
  })
  return { chain, mempool, saved, offered, ingress, event, added: () => added }
}

/** The same chain, closed to those who signed the test's events. */
function withActors({ chainId, timestamp, validators }: Genesis): Genesis {
  const members = validators.keys.map((publicKey, index) => ({ name: validators.names[index] as string, publicKey }))
  return createGenesis({ chainId, timestamp, validators: members, actors: [keyOf('somebody else').publicKey] })
}

const gossiped = (ingress: EventIngress, payload: Uint8Array) => judge(ingress.topic, payload, 'peer')

/** The same event with another last byte of its signature. */
function forged(event: CheckedEvent): Uint8Array {
  const bytes = event.bytes.slice()
  const at = bytes.lastIndexOf(event.signature.at(-1) as number)
  bytes[at] = (bytes[at] as number) ^ 1
  return bytes
}

describe('events from the API', () => {
  test('are on disk, in the mempool and offered when they are acknowledged', async () => {
    const { ingress, event, saved, offered, mempool, added } = setUp()
    await expect(ingress.submit(event.bytes, 'api')).resolves.toEqual({ id: event.id, status: 'pending' })
    expect(saved.map(({ id }) => toHex(id))).toEqual([toHex(event.id)])
    expect(offered).toHaveLength(1)
    expect(mempool.has(event.id)).toBe(true)
    expect(added()).toBe(1)
  })

  test('that gossip brought before are saved and offered all the same', async () => {
    const { ingress, event, saved, offered, added } = setUp()
    await gossiped(ingress, joinEvents([event.bytes]))
    await ingress.submit(event.bytes, 'api')
    expect(saved).toHaveLength(1)
    expect(offered).toHaveLength(1)
    expect(added()).toBe(1)
  })

  test('are refused by a node that is halted', async () => {
    const { ingress, event, saved } = setUp({ halt: () => ({ code: 'CONFLICTING_FINALITY', message: 'two blocks' }) })
    await expect(ingress.submit(event.bytes, 'api')).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
    expect(saved).toHaveLength(0)
  })

  test('that are final are said to be', async () => {
    const { ingress, event, mempool } = setUp({ isFinalized: () => true })
    await expect(ingress.submit(event.bytes, 'api')).resolves.toMatchObject({ status: 'finalized' })
    expect(mempool.stats().events).toBe(0)
  })

  test('are not acknowledged if they could not be written', async () => {
    const full = () => Promise.reject(new Error('disk full'))
    const { ingress, event, offered } = setUp({ save: full })
    await expect(ingress.submit(event.bytes, 'api')).rejects.toThrow('disk full')
    expect(offered).toHaveLength(0)
  })

  test('with a false signature change nothing', async () => {
    const { ingress, event, saved, mempool } = setUp()
    await expect(ingress.submit(forged(event), 'api')).rejects.toMatchObject({ code: 'EVENT_BAD_SIGNATURE' })
    expect(saved).toHaveLength(0)
    expect(mempool.stats().events).toBe(0)
  })

  test('outside of the window are refused with how far they are away', async () => {
    const { chain, event } = setUp()
    const late = event.fields.timestamp + chain.genesis.params.eventWindowMs + 1
    const { ingress } = setUp({ chainTime: () => ({ now: late, tip: 0 }) })
    await expect(ingress.submit(event.bytes, 'api')).rejects.toThrow(/600001 ms from now; at most 600000/)
  })

  test('that no coming block can take are refused, with chain time and from when on events are taken', async () => {
    const { chain, event } = setUp()
    const { timestamp } = event.fields
    const tip = timestamp + chain.genesis.params.eventWindowMs + 1
    const ahead = setUp({ chainTime: () => ({ now: timestamp, tip }) })
    await expect(ahead.ingress.submit(event.bytes, 'api')).rejects.toMatchObject({
      code: 'EVENT_OUTSIDE_WINDOW',
      message: expect.stringMatching(
        /chain time is 20\d\d-.*Z, 600001 ms ahead of now, events of 20\d\d-.*Z and later are taken$/
      )
    })
    expect(ahead.mempool.stats().events).toBe(0)
    const near = setUp({ chainTime: () => ({ now: timestamp, tip: tip - 2 }) })
    await expect(near.ingress.submit(event.bytes, 'api')).resolves.toMatchObject({ status: 'pending' })
  })

  test('that are final are said to be at any age, and by a node that is halted', async () => {
    const { chain, event } = setUp()
    const late = event.fields.timestamp + chain.genesis.params.eventWindowMs + 1
    const halt = () => ({ code: 'CONFLICTING_FINALITY', message: 'two blocks' })
    const { ingress, saved } = setUp({ chainTime: () => ({ now: late, tip: 0 }), fateOf: async () => 'final', halt })
    await expect(ingress.submit(event.bytes, 'api')).resolves.toEqual({ id: event.id, status: 'finalized' })
    await expect(setUp({ halt, isFinalized: () => true }).ingress.submit(event.bytes, 'api')).resolves.toMatchObject({
      status: 'finalized'
    })
    expect(saved).toHaveLength(0)
  })

  test('that may be in a block that is not here are neither final nor refused; those from the future are', async () => {
    const { chain, event } = setUp()
    const away = chain.genesis.params.eventWindowMs + 1
    const at = (now: number) =>
      setUp({ chainTime: () => ({ now: now, tip: 0 }), fateOf: async () => 'unknown' }).ingress
    await expect(at(event.fields.timestamp + away).submit(event.bytes, 'api')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { event_id: toHex(event.id) }
    })
    await expect(at(event.fields.timestamp - away).submit(event.bytes, 'api')).rejects.toMatchObject({
      code: 'EVENT_OUTSIDE_WINDOW'
    })
  })

  test('that wait go on to wait when their window is over here: the chain says when they have expired', async () => {
    const chain = testChain()
    const event = testEvent(chain, 1)
    let now = event.fields.timestamp
    const { ingress, saved } = setUp({ chainTime: () => ({ now: now, tip: 0 }) })
    await ingress.submit(event.bytes, 'api')
    now += chain.genesis.params.eventWindowMs + 1
    await expect(ingress.submit(event.bytes, 'api')).resolves.toEqual({ id: event.id, status: 'pending' })
    expect(saved).toHaveLength(2)
  })

  test('that are refused are named, once they are events at all', async () => {
    const { ingress, event } = setUp()
    const { id } = checkEvent(forged(event), testChain().genesis.params)
    await expect(ingress.submit(forged(event), 'api')).rejects.toMatchObject({ details: { event_id: toHex(id) } })
    await expect(ingress.submit(event.bytes.subarray(1), 'api')).rejects.toMatchObject({ details: {} })
  })

  test('of an actor that the genesis does not list are refused', async () => {
    const { chain, event } = setUp()
    const { ingress } = setUp({ genesis: withActors(chain.genesis) })
    await expect(ingress.submit(event.bytes, 'api')).rejects.toMatchObject({ code: 'EVENT_ACTOR_UNKNOWN' })
  })

  test('beyond the quota of their source are refused, and other sources are not', async () => {
    const { chain, ingress } = setUp()
    for (const index of [1, 2]) await ingress.submit(testEvent(chain, index).bytes, 'api:a')
    const third = testEvent(chain, 3).bytes
    await expect(ingress.submit(third, 'api:a')).rejects.toMatchObject({ code: 'MEMPOOL_FULL' })
    await expect(ingress.submit(third, 'api:b')).resolves.toMatchObject({ status: 'pending' })
  })
})

describe('events from gossip', () => {
  test('are accepted once, then ignored', async () => {
    const { ingress, event, mempool, saved, added } = setUp()
    const payload = joinEvents([event.bytes])
    await expect(gossiped(ingress, payload)).resolves.toBe('accept')
    await expect(gossiped(ingress, payload)).resolves.toBe('ignore')
    expect(mempool.has(event.id)).toBe(true)
    expect(saved).toHaveLength(0)
    expect(added()).toBe(1)
  })

  test('with a false signature, malformed or empty are charged to the peer', async () => {
    const { ingress, event, mempool } = setUp()
    await expect(gossiped(ingress, joinEvents([forged(event)]))).resolves.toBe('reject')
    await expect(gossiped(ingress, joinEvents([event.bytes.subarray(1)]))).resolves.toBe('reject')
    await expect(gossiped(ingress, joinEvents([]))).resolves.toBe('reject')
    await expect(gossiped(ingress, new Uint8Array([0xff]))).resolves.toBe('reject')
    expect(mempool.stats().events).toBe(0)
  })

  test('are not taken when one of the message is bad', async () => {
    const { chain, ingress, event, mempool } = setUp()
    const payload = joinEvents([testEvent(chain, 2).bytes, forged(event)])
    await expect(gossiped(ingress, payload)).resolves.toBe('reject')
    expect(mempool.stats().events).toBe(0)
  })

  test('are checked each, whatever use they are here: one that is falsely signed is charged at any time', async () => {
    const { chain, event } = setUp()
    const good = testEvent(chain, 2)
    const payload = joinEvents([forged(event), good.bytes])
    const { eventWindowMs } = chain.genesis.params
    // Of `forged` and `good` the first, then the second, then neither is within the window.
    const at = [
      event.fields.timestamp,
      event.fields.timestamp - eventWindowMs - 1,
      event.fields.timestamp + 10 * eventWindowMs
    ]
    const states = [
      ...at.map((now) => setUp({ chainTime: () => ({ now: now, tip: 0 }) })),
      setUp({ isFinalized: () => true }),
      setUp({ isFinalized: (id) => toHex(id) !== toHex(good.id) })
    ]
    for (const { ingress, mempool } of states) {
      await expect(gossiped(ingress, payload)).resolves.toBe('reject')
      expect(mempool.stats().events).toBe(0)
    }
  })

  test('by an actor that may not sign any, and twice in a message, are charged', async () => {
    const { chain, event, ingress } = setUp()
    await expect(gossiped(ingress, joinEvents([event.bytes, event.bytes]))).resolves.toBe('reject')
    const genesis = withActors(chain.genesis)
    const closed = setUp({ genesis })
    await expect(gossiped(closed.ingress, joinEvents([event.bytes]))).resolves.toBe('reject')
  })

  test('that are stale, final or more than fit are ignored, and nobody is charged', async () => {
    const { event } = setUp()
    const stale = setUp({ chainTime: () => ({ now: event.fields.timestamp + 600_001, tip: 0 }) })
    await expect(gossiped(stale.ingress, joinEvents([event.bytes]))).resolves.toBe('ignore')
    const final = setUp({ isFinalized: () => true })
    await expect(gossiped(final.ingress, joinEvents([event.bytes]))).resolves.toBe('ignore')
    const { chain, ingress } = setUp()
    await gossiped(ingress, joinEvents([1, 2].map((index) => testEvent(chain, index).bytes)))
    await expect(gossiped(ingress, joinEvents([testEvent(chain, 3).bytes]))).resolves.toBe('ignore')
  })

  test('do not keep the message alive that they came in', async () => {
    const { ingress, event, mempool } = setUp()
    await gossiped(ingress, joinEvents([event.bytes]))
    expect(mempool.get(event.id)?.bytes.buffer.byteLength).toBe(event.bytes.byteLength)
  })

  test('by strangers take no room of what a validator vouches for, nor of the API’s, and end at the first hop', async () => {
    const { chain, ingress, mempool } = setUp()
    const batch = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => testEvent(chain, from + i, {}, `actor ${from + i}`).bytes)
    const vouch = (events: Uint8Array[]) => vouchedEvents(chain.genesis.hash, chain.keys[1] as KeyPair, events)
    // Of sixteen two may be unvouched.
    await expect(gossiped(ingress, joinEvents(batch(0, 2)))).resolves.toBe('accept')
    await expect(gossiped(ingress, joinEvents(batch(2, 9)))).resolves.toBe('ignore')
    expect(mempool.stats().events).toBe(2)
    await expect(gossiped(ingress, vouch(batch(10, 14)))).resolves.toBe('accept')
    await expect(ingress.submit(testEvent(chain, 20).bytes, 'caller')).resolves.toMatchObject({ status: 'pending' })
    expect(mempool.stats().events).toBe(7)
    // Handed on by a stranger first, then vouched for: no stranger holds it down.
    await expect(gossiped(ingress, vouch(batch(0, 2)))).resolves.toBe('accept')
    await expect(gossiped(ingress, joinEvents(batch(30, 32)))).resolves.toBe('accept')
    expect(mempool.stats().events).toBe(9)
  })

  test('that are mostly known, or had to be made room for, are not forwarded', async () => {
    const { chain, ingress } = setUp()
    const bytes = Array.from({ length: 5 }, (_, i) => testEvent(chain, i, {}, `actor ${i}`).bytes) as [Uint8Array]
    const vouch = (...events: Uint8Array[]) => vouchedEvents(chain.genesis.hash, chain.keys[1] as KeyPair, events)
    await expect(gossiped(ingress, vouch(...bytes.slice(0, 3)))).resolves.toBe('accept')
    await expect(gossiped(ingress, vouch(...bytes.slice(0, 4)))).resolves.toBe('ignore')
  })
})
