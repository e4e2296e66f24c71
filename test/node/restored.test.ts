import { expect, test } from 'vitest'
import type { CheckedEvent } from '../../src/chain/event.ts'
import { Mempool } from '../../src/chain/mempool.ts'
import { equalBytes } from '../../src/codec/bytes.ts'
import { joinEvents } from '../../src/codec/raw.ts'
import { silentLog } from '../../src/log.ts'
import { Outbox } from '../../src/node/outbox.ts'
import { RestoredEvents } from '../../src/node/restored.ts'
import { testChain, testEvent } from '../chain/fixture.ts'
import { mempoolLimits } from '../chain/support/mempool-limits.ts'

test('acknowledged events beyond a lowered limit come in as there is room, and none is forgotten', async () => {
  const chain = testChain()
  const events = [1, 2, 3, 4, 5].map((index) => testEvent(chain, index))
  const mempool = new Mempool(mempoolLimits({ maxEvents: 4, maxPerCaller: 1 }))
  const outbox = new Outbox({
    message: (batch) => joinEvents(batch),
    publish: async () => 0,
    isWaiting: (id) => mempool.has(id),
    log: silentLog
  })
  const warned: object[] = []
  const seen = new Set<CheckedEvent>()
  const restored = new RestoredEvents(events, {
    mempool,
    outbox,
    isFinalized: (id) => [...seen].some((event) => equalBytes(event.id, id)),
    log: { ...silentLog, warn: (details) => warned.push(details) }
  })
  expect(warned).toEqual([{ events: 3 }])
  for (let turn = 0; turn < 3; turn++) {
    for (const event of events.filter(({ id }) => mempool.has(id))) {
      seen.add(event)
      mempool.remove(event.id)
    }
    restored.place()
  }
  expect(seen.size).toBe(events.length)
  await outbox.stop()
})
