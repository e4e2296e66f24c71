import { expect, test } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { applyAll } from '../support/chain-builder.ts'
import { ChainMaker } from '../support/chain-maker.ts'
import { tempDir } from '../support/temp-dir.ts'

const ids = (events: readonly { id: Uint8Array }[]) => events.map(({ id }) => toHex(id))

test('events wait through restarts in their order until a block finalizes them', async () => {
  const maker = new ChainMaker({ eventsPerBlock: 2 })
  const path = tempDir()
  const open = () => Ledger.open({ path, genesis: maker.genesis, log: silentLog })
  const events = maker.events(6)
  let ledger = await open()
  await Promise.all(events.map((event) => ledger.saveMempool([event])))
  await ledger.close()

  ledger = await open()
  const loaded = await ledger.loadMempool()
  expect(ids(loaded)).toEqual(ids(events))
  expect(loaded[0]).toEqual(events[0])
  expect(await ledger.loadMempool()).toEqual([])
  await applyAll(ledger, [maker.next([events[1], events[4]] as typeof events)])
  await ledger.close()

  ledger = await open()
  const left = [0, 2, 3, 5].map((i) => events[i] as (typeof events)[0])
  expect(ids(await ledger.loadMempool())).toEqual(ids(left))
  // Saved again after it was finalized: it does not come back.
  await ledger.saveMempool([events[1] as (typeof events)[0]])
  const gossiped = maker.event()
  await ledger.expireMempool([...left.slice(0, 1), gossiped])
  await ledger.close()

  ledger = await open()
  expect(ids(await ledger.loadMempool())).toEqual(ids(left.slice(1)))
  expect(await ledger.expiredEvents(undefined, 10)).toEqual({ events: [left[0]?.bytes], nextCursor: undefined })
  expect(await ledger.expiredEvent(left[0]?.id as Uint8Array)).toEqual(left[0]?.bytes)
  expect(await ledger.expiredEvent(gossiped.id)).toBeUndefined()
  await ledger.close()
})

test('an event saved while its block is being written is not left behind', async () => {
  const maker = new ChainMaker({ eventsPerBlock: 2 })
  const path = tempDir()
  let ledger: Ledger | undefined
  const late = maker.event()
  let saving: Promise<void> | undefined
  ledger = await Ledger.open({
    path,
    genesis: maker.genesis,
    log: silentLog,
    tuning: {
      beforeWrite: () => {
        saving ??= ledger?.saveMempool([late])
      }
    }
  })
  await applyAll(ledger, [maker.next([late])])
  await saving
  await ledger.close()
  ledger = await Ledger.open({ path, genesis: maker.genesis, log: silentLog })
  expect(await ledger.loadMempool()).toEqual([])
  await ledger.close()
})
