import { expect, it, vi } from 'vitest'
import { checkFinalized } from '../../src/chain/check-block.ts'
import { toHex } from '../../src/codec/bytes.ts'
import type { BuiltBlock } from '../../src/ledger/ledger.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENCE = { timeout: 20_000, interval: 10 }

/** A lab whose node has seen block a of the next height proposed and precommitted by two of four. */
async function withPending(): Promise<{
  lab: Lab
  a: BuiltBlock
  b: BuiltBlock
  events: ReturnType<Lab['network']['event']>[]
}> {
  const lab = await Lab.start()
  const events = [lab.network.event(), lab.network.event(), lab.network.event()]
  const a = lab.build(0, events.slice(0, 2))
  expect(await lab.node.gossip('block', lab.newBlock(a))).toBe('accept')
  expect(await lab.node.gossip('vote', lab.precommit(0, a))).toBe('accept')
  expect(await lab.node.gossip('vote', lab.precommit(1, a))).toBe('accept')
  await waitFor(() => expect(lab.node.driver.pending()).toBeDefined(), PATIENCE)
  // Another block of the next round, with one of a's events and one of its own.
  return { lab, a, b: lab.build(1, events.slice(1)), events }
}

it('the pending block is shown with the precommits of its best round', async () => {
  const { lab, a } = await withPending()
  expect(lab.node.driver.pending()).toEqual({
    height: 1,
    hash: new Uint8Array(a.hash),
    round: 0,
    signatures: 2,
    needed: 3
  })
})

it('another block finalized at the pending height by gossip: the pending one is rolled back, its events return', async () => {
  const { lab, b, events } = await withPending()
  expect(lab.node.mempool.stats().events).toBe(0)
  expect(await lab.node.gossip('finalized', lab.finalized(b, [1, 2, 3], 1))).toBe('accept')
  expect(lab.node.tip).toEqual({ height: 1, hash: toHex(b.hash) })
  expect(lab.node.driver.pending()).toBeUndefined()
  expect(lab.node.driver.position?.height).toBe(2)
  const waiting = events.map((event) => lab.node.mempool.has(event.id))
  expect(waiting).toEqual([true, false, false])
})

it('… by range sync, while consensus is paused', async () => {
  const { lab, b, events } = await withPending()
  const { driver, ledger, mempool } = lab.node
  driver.pause()
  const first = checkFinalized(lab.network.genesis, lab.finalized(b, [1, 2, 3], 1))
  if (!first.ok) throw new Error(first.failure.code)
  await ledger.apply([first.block])
  const next = checkFinalized(lab.network.genesis, lab.finalized(lab.build(0, events.slice(0, 1))))
  if (!next.ok) throw new Error(next.failure.code)
  expect(mempool.has(events[0]!.id)).toBe(true)
  await ledger.apply([next.block])
  expect(driver.pending()).toBeUndefined()
  expect(driver.position?.height).toBe(1)
  // The event of the dropped block came back, and left with the block after it.
  expect(mempool.stats().events).toBe(0)
  driver.resume()
  await waitFor(() => expect(driver.position?.height).toBe(3), PATIENCE)
})

it('the pending block itself finalized: its events leave the mempool, nothing returns', async () => {
  const { lab, a, events } = await withPending()
  lab.node.submit(...events)
  await lab.node.gossip('finalized', lab.finalized(a))
  expect(lab.node.tip.hash).toBe(toHex(a.hash))
  expect(events.map((event) => lab.node.mempool.has(event.id))).toEqual([false, false, true])
})

it('a block that conflicts with a final one stops the node, which says who signed both', async () => {
  const { lab, a, b } = await withPending()
  const halted = vi.fn()
  lab.node.driver.on('halted', halted)
  expect(await lab.node.gossip('finalized', lab.finalized(a, [0, 1, 2]))).toBe('accept')
  expect(await lab.node.gossip('finalized', lab.finalized(b, [1, 2, 3], 1))).toBe('accept')
  expect(halted).toHaveBeenCalledOnce()
  expect(lab.node.tip.hash).toBe(toHex(a.hash))
  expect(lab.node.driver.isPaused).toBe(true)
  expect(lab.node.errors.join('\n')).toMatch(/v1, v2/)
  lab.node.driver.resume()
  expect(lab.node.driver.isPaused).toBe(true)
})
