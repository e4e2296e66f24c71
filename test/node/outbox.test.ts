import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { joinEvents, splitEvents } from '../../src/codec/raw.ts'
import { silentLog } from '../../src/log.ts'
import { Outbox } from '../../src/node/outbox.ts'
import { testChain, testEvent } from '../chain/fixture.ts'

const chain = testChain()
const events = [1, 2, 3].map((index) => testEvent(chain, index))

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function setUp() {
  const sent: string[][] = []
  const done = new Set<string>()
  const peers = { count: 3 }
  const outbox = new Outbox({
    message: (events) => joinEvents(events),
    publish: async (payload) => {
      sent.push(splitEvents(payload).events.map(toHex))
      return peers.count
    },
    isWaiting: (id) => !done.has(toHex(id)),
    log: silentLog
  })
  return { outbox, sent, done, peers }
}

const hex = (...indexes: number[]): string[] => indexes.map((index) => toHex(events[index]?.bytes ?? new Uint8Array()))

test('events that come within a moment travel together', async () => {
  const { outbox, sent } = setUp()
  for (const event of events) outbox.add(event)
  expect(sent).toEqual([])
  await vi.advanceTimersByTimeAsync(60)
  expect(sent).toEqual([hex(0, 1, 2)])
  await outbox.stop()
})

test('a lone event waits a moment, a stream of them costs few messages', async () => {
  const { outbox, sent } = setUp()
  outbox.add(events[0] as (typeof events)[number])
  await vi.advanceTimersByTimeAsync(25)
  expect(sent).toEqual([hex(0)])
  for (let index = 0; index < 200; index++) {
    outbox.add({ id: Uint8Array.of(1, index), bytes: Uint8Array.of(index) })
    await vi.advanceTimersByTimeAsync(5)
  }
  await vi.advanceTimersByTimeAsync(250)
  expect(sent.flat()).toHaveLength(201)
  expect(sent.length).toBeLessThanOrEqual(7)
  await outbox.stop()
})

test('what no block has taken is offered again, what one has is forgotten', async () => {
  const { outbox, sent, done } = setUp()
  for (const event of events.slice(0, 2)) outbox.add(event)
  await vi.advanceTimersByTimeAsync(60)
  done.add(toHex(events[0]?.id ?? new Uint8Array()))
  await vi.advanceTimersByTimeAsync(30_100)
  expect(sent[0]).toEqual(hex(0, 1))
  expect(sent.length).toBeGreaterThan(1)
  for (const again of sent.slice(1)) expect(again).toEqual(hex(1))
  await outbox.stop()
})

test('events of before a restart go out when a peer comes, once for many peers at once', async () => {
  const { outbox, sent } = setUp()
  for (const event of events) outbox.restore(event)
  await vi.advanceTimersByTimeAsync(100)
  expect(sent).toEqual([])
  outbox.peerReady()
  outbox.peerReady()
  await vi.advanceTimersByTimeAsync(60)
  expect(sent).toEqual([hex(0, 1, 2)])
  await outbox.stop()
})

test('stopping sends what waits to be sent', async () => {
  const { outbox, sent } = setUp()
  outbox.add(events[0] as (typeof events)[number])
  await outbox.stop()
  expect(sent).toEqual([hex(0)])
})

test('what reached nobody goes out when the next peer comes', async () => {
  const { outbox, sent, peers } = setUp()
  peers.count = 0
  outbox.add(events[0] as (typeof events)[number])
  await vi.advanceTimersByTimeAsync(250)
  peers.count = 3
  outbox.peerReady()
  await vi.advanceTimersByTimeAsync(250)
  outbox.peerReady()
  await vi.advanceTimersByTimeAsync(250)
  expect(sent).toEqual([hex(0), hex(0)])
  await outbox.stop()
})

test('after an outage what waits goes out in turns, so that no peer is buried under it', async () => {
  const { outbox, sent } = setUp()
  const many = Array.from({ length: 40 }, (_, index) => ({
    id: Uint8Array.of(index),
    bytes: new Uint8Array(100_000).fill(1)
  }))
  for (const event of many) outbox.restore(event)
  outbox.peerReady()
  await vi.advanceTimersByTimeAsync(100)
  const first = sent.flat().length
  expect(first).toBeGreaterThan(0)
  expect(first).toBeLessThanOrEqual(11)
  await vi.advanceTimersByTimeAsync(3000)
  expect(sent.flat()).toHaveLength(40)
  await outbox.stop()
})
