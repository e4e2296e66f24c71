import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { hashEventIds } from '../../src/chain/event-hashes.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { missingEvents } from '../../src/consensus/rollback.ts'
import { testChain, testEvent } from '../chain/fixture.ts'
import { runs } from '../support/runs.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENCE = { timeout: 20_000, interval: 10 }

describe('the events of dropped blocks that are to come back', () => {
  const chain = testChain()
  const events = Array.from({ length: 12 }, (_, index) => testEvent(chain, index))
  const some = fc.array(fc.nat(events.length - 1), { maxLength: 8 })

  it('are those that are not known, each once, in the order of the blocks', () => {
    fc.assert(
      fc.property(fc.array(some, { maxLength: 4 }), some, (blocks, known) => {
        const has = new Set(known.map((index) => toHex(events[index]!.id)))
        const of = blocks.map((list) => list.map((index) => events[index]!))
        const dropped = of.map((list) => ({ eventIds: () => hashEventIds(list.map(({ bytes }) => bytes)) }))
        const missing = missingEvents(dropped, (id) => has.has(toHex(id)))
        const found = missing.map(({ block, event }) => toHex(of[block]![event]!.id))
        const wanted = new Set(of.flat().map(({ id }) => toHex(id)))
        expect(found).toEqual([...wanted].filter((id) => !has.has(id)))
      }),
      runs(200)
    )
  })
})

it('nothing of a dropped block is parsed if its events still wait', async () => {
  const lab = await Lab.start()
  const events = Array.from({ length: 5 }, () => lab.network.event())
  lab.node.submit(...events)
  const a = lab.build(0, events)
  expect(await lab.node.gossip('block', lab.newBlock(a))).toBe('accept')
  const readd = vi.spyOn(lab.node.mempool, 'readd')
  expect(await lab.node.gossip('finalized', lab.finalized(lab.build(1, []), [1, 2, 3], 1))).toBe('accept')
  expect(readd).not.toHaveBeenCalled()
  expect(lab.node.mempool.stats().events).toBe(5)
})

it('many events that only the dropped block had come back a few at a time, in their order', async () => {
  const lab = await Lab.start()
  const events = Array.from({ length: 450 }, () => lab.network.event())
  const later = lab.network.event()
  lab.node.submit(later)
  expect(await lab.node.gossip('block', lab.newBlock(lab.build(0, events)))).toBe('accept')
  await waitFor(() => expect(lab.node.driver.pending()).toBeDefined(), PATIENCE)
  const readd = vi.spyOn(lab.node.mempool, 'readd')
  expect(await lab.node.gossip('finalized', lab.finalized(lab.build(1, []), [1, 2, 3], 1))).toBe('accept')
  await waitFor(() => expect(lab.node.mempool.stats().events).toBe(451), PATIENCE)
  expect(readd.mock.calls.map(([list]) => [...list].length)).toEqual([200, 200, 50])
  const order = lab.node.mempool.select({ maxEvents: 1000, maxBytes: 1 << 20, timestamp: Date.now(), windowMs: 1e6 })
  // The node's own comes first.
  expect(order.map(({ id }) => toHex(id))).toEqual([later, ...events].map(({ id }) => toHex(id)))
})

it('a decided block that was checked when it was proposed is not checked a second time', async () => {
  const lab = await Lab.start()
  const check = vi.spyOn(lab.network.verifier, 'checkCertified')
  const block = lab.build(0, [lab.network.event()])
  expect(await lab.node.gossip('block', lab.newBlock(block))).toBe('accept')
  for (const validator of [0, 1, 2]) await lab.node.gossip('vote', lab.precommit(validator, block))
  await lab.node.reaches(1)
  expect(lab.node.tip.hash).toBe(toHex(block.hash))
  expect(check).not.toHaveBeenCalled()
  const stored = await lab.node.ledger.blockAt(1)
  expect(Buffer.from(stored!.blockBytes).equals(block.blockBytes)).toBe(true)
})
