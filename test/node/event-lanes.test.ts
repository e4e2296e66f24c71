/** Whose events are checked first, and who waits or is dropped, when more come in than this node can check. */
import { afterEach, describe, expect, test } from 'vitest'
import type { CheckedEvent } from '../../src/chain/event.ts'
import { Mempool } from '../../src/chain/mempool.ts'
import { VerifiedEvents } from '../../src/chain/verified-events.ts'
import { vouchedEvents } from '../../src/chain/voucher.ts'
import { joinEvents } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { EventBacklog } from '../../src/node/event-backlog.ts'
import { EventIngress } from '../../src/node/ingress.ts'
import { VerifyPool } from '../../src/verify/pool.ts'
import { keyOf, testChain, testEvent } from '../chain/fixture.ts'
import { mempoolLimits } from '../chain/support/mempool-limits.ts'
import { judge } from '../support/judge.ts'

const chain = testChain(7)
const { genesis } = chain
const { timestamp } = testEvent(chain, 0).fields

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

/** Real threads, which begin when `open` is called: what is to be checked until then collects. */
function setUp({ unvouchedShare = 1 / 4 } = {}) {
  const verified = new VerifiedEvents(genesis.hash, VerifiedEvents.memoryFor(64))
  const gate = new Int32Array(verified.memory)
  const workerUrl = new URL('../verify/fixtures/gated-worker.mjs', import.meta.url)
  const pool = new VerifyPool({ genesisJson: genesis.json, size: 1, verified, workerUrl })
  closing.push(() => pool.close())
  const open = () => {
    Atomics.store(gate, 0, 1)
    Atomics.notify(gate, 0)
  }
  const mempool = new Mempool(mempoolLimits({ maxEvents: 4000, maxBytes: 64 << 20, unvouchedShare }))
  let checks = 0
  const ingress = new EventIngress({
    genesis,
    mempool,
    verified,
    checkMessage: (payload, lane) => {
      checks++
      return pool.checkEvents(payload, lane)
    },
    isFinalized: () => false,
    fateOf: async () => 'expired',
    save: async () => {},
    offer: () => {},
    added: () => {},
    halt: () => undefined,
    chainTime: () => ({ now: timestamp, tip: 0 })
  })
  return { ingress, mempool, open, checks: () => checks }
}

let made = 0
const some = (count: number, bytes = 0): CheckedEvent[] =>
  Array.from({ length: count }, () => {
    const index = made++
    const metadata = bytes === 0 ? [] : [{ key: 'k', value: 'x'.repeat(bytes) }]
    return testEvent(chain, index, { metadata }, `actor ${index % 7}`)
  })
const bytesOf = (events: readonly CheckedEvent[]) => events.map(({ bytes }) => bytes)
const unvouched = (count = 1, bytes = 0) => joinEvents(bytesOf(some(count, bytes)))
const vouched = (by: number, count = 1, bytes = 0) =>
  vouchedEvents(genesis.hash, chain.keys[by] as KeyPair, bytesOf(some(count, bytes)))
/** The voucher of a validator, over other events. */
function misvouched(by: number, count = 1): Uint8Array {
  const other = vouched(by)
  return Uint8Array.from([...unvouched(count), ...other.subarray(-102)])
}

/** Sends large messages until no more is let in. @returns their verdicts, and how many bytes were let in */
function flood(ingress: EventIngress, message: () => Uint8Array, from = 'stranger') {
  const verdicts: Promise<string>[] = []
  let bytes = 0
  for (let payload = message(); ingress.topic.isFull?.(payload, from) === false; payload = message()) {
    bytes += payload.byteLength
    verdicts.push(judge(ingress.topic, payload, from))
    if (verdicts.length > 2000) throw new Error('there is no end to what is let in')
  }
  return { verdicts, bytes }
}

describe('while a flood of valid events that nobody vouches for waits to be checked', () => {
  test('a caller of the API is answered as ever, and more of the flood is dropped unchecked', async () => {
    const { ingress, mempool, open, checks } = setUp()
    const { verdicts, bytes } = flood(ingress, () => unvouched(8, 8000))
    expect(bytes).toBeLessThan(1 << 20)
    const event = some(1)[0] as CheckedEvent
    await expect(ingress.submit(event.bytes, 'caller')).resolves.toMatchObject({ status: 'pending' })
    const before = checks()
    await expect(judge(ingress.topic, unvouched(), 'another stranger')).resolves.toBe('ignore')
    expect(checks()).toBe(before)
    open()
    expect(new Set(await Promise.all(verdicts))).toEqual(new Set(['accept']))
    // Room comes back as they are checked.
    await expect(judge(ingress.topic, unvouched(), 'another stranger')).resolves.toBe('accept')
    expect(mempool.has(event.id)).toBe(true)
  })

  test('what a validator vouches for is let in, and checked before all of it that came earlier', async () => {
    const { ingress, open } = setUp()
    const order: string[] = []
    const { verdicts } = flood(ingress, () => unvouched(8, 8000))
    const all = verdicts.map((verdict) => verdict.then(() => order.push('unvouched')))
    all.push(judge(ingress.topic, vouched(3, 20), 'stranger').then(() => order.push('vouched')))
    // Without a turn of the loop the threads have not been given it.
    await new Promise((resolve) => setImmediate(resolve))
    open()
    await Promise.all(all)
    expect(order[0]).toBe('vouched')
  })

  test('who says that a validator vouches for his, and it does not, is refused before anything of it is checked', async () => {
    const { ingress, checks } = setUp()
    flood(ingress, () => unvouched(8, 8000)).verdicts.forEach((verdict) => void verdict.catch(() => {}))
    const before = checks()
    await expect(judge(ingress.topic, misvouched(2, 50), 'stranger')).resolves.toBe('reject')
    const stranger = vouchedEvents(genesis.hash, keyOf('a stranger'), bytesOf(some(1)))
    await expect(judge(ingress.topic, stranger, 'stranger')).resolves.toBe('ignore')
    expect(checks()).toBe(before)
  })
})

test('events of strangers for which the mempool has no room are not checked at all; others of theirs are', async () => {
  const { ingress, mempool, open, checks } = setUp({ unvouchedShare: 1 / 390 })
  open()
  await expect(judge(ingress.topic, unvouched(10), 'stranger')).resolves.toBe('accept')
  expect([mempool.stats().events, checks()]).toEqual([10, 1])
  await expect(judge(ingress.topic, unvouched(5), 'stranger')).resolves.toBe('ignore')
  expect(checks()).toBe(1)
  // Another source has a share: it is looked at.
  await judge(ingress.topic, unvouched(5), 'another')
  await expect(judge(ingress.topic, vouched(1, 5), 'stranger')).resolves.toBe('accept')
  expect(checks()).toBe(3)
})

test('callers are told to come back when what validators have accepted is more than this node can check', async () => {
  const { ingress, open } = setUp()
  const known = some(1)[0] as CheckedEvent
  await ingress.submit(known.bytes, 'caller')
  const waiting = [0, 1, 2, 3, 4].flatMap((by) => {
    return Array.from({ length: 10 }, () => judge(ingress.topic, vouched(by, 2, 8000), 'peer'))
  })
  const event = some(1)[0] as CheckedEvent
  await expect(ingress.submit(event.bytes, 'caller')).rejects.toMatchObject({ code: 'BUSY' })
  // What waits already still is answered.
  await expect(ingress.submit(known.bytes, 'caller')).resolves.toMatchObject({ status: 'pending' })
  open()
  await Promise.all(waiting)
  await expect(ingress.submit(event.bytes, 'caller')).resolves.toMatchObject({ status: 'pending' })
})

describe('the backlog of validators', () => {
  const filled = (size: number, who: readonly number[]): EventBacklog => {
    const backlog = new EventBacklog({ size, faulty: Math.floor((size - 1) / 3) })
    for (const index of who) while (backlog.hasRoom(index)) backlog.add(index, 1 << 20)
    return backlog
  }

  test('f that flood neither shut the API nor take the room of others; f + 1 are more than can be false', () => {
    for (const [size, faulty] of [
      [1, 0],
      [4, 1],
      [7, 2],
      [100, 33]
    ] as const) {
      const all = Array.from({ length: size }, (_, index) => index)
      const some = filled(size, all.slice(0, faulty))
      expect(some.isBehind).toBe(false)
      for (const index of all.slice(faulty)) expect(some.hasRoom(index)).toBe(true)
      expect(some.hasRoom(undefined)).toBe(true)
      expect(filled(size, all.slice(0, faulty + 1)).isBehind).toBe(true)
    }
  })

  test('is given back as it is checked', () => {
    const backlog = new EventBacklog({ size: 4, faulty: 1 })
    const checked = [0, 1].map((index) => backlog.add(index, 300_000))
    expect(backlog.isBehind).toBe(true)
    for (const one of checked) one()
    expect(backlog.isBehind).toBe(false)
  })
})
