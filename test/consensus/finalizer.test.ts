/** A decided block until it is on disk. */
import { expect, it, vi } from 'vitest'
import { Finalizer } from '../../src/consensus/finalizer.ts'
import { MolochError } from '../../src/error.ts'
import { silentLog } from '../../src/log.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'
import { ManualClock } from './support/manual-clock.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENCE = { timeout: 20_000, interval: 10 }

it('of an own block is tried again until threads do not die of its check', async () => {
  const clock = new ManualClock()
  const lab = await Lab.start({ self: 1, clock, params: { blockIntervalMs: 1000, emptyBlockIntervalMs: 1000 } })
  const { node } = lab
  await clock.pass(1000)
  await waitFor(() => expect(node.driver.pending()).toBeDefined(), PATIENCE)
  const crash = new MolochError('VERIFY_CRASHED', 'a thread died')
  const check = vi.spyOn(lab.network.verifier, 'checkCertified')
  for (let i = 0; i < 3; i++) check.mockRejectedValueOnce(crash)
  const block = { hash: node.driver.pending()!.hash, blockBytes: new Uint8Array(0), header: undefined as never }
  for (const validator of [0, 2, 3]) await node.gossip('vote', lab.precommit(validator, block))
  await waitFor(async () => {
    await clock.pass(500)
    expect(node.tip.height).toBe(1)
  }, PATIENCE)
  expect(check.mock.calls.length).toBeGreaterThan(3)
  expect(node.driver.halted).toBeUndefined()
})

it('that the ledger cannot take ends consensus at this node, and is told', async () => {
  const lab = await Lab.start()
  const { node } = lab
  const halted = vi.fn()
  node.driver.on('halted', halted)
  vi.spyOn(node.ledger, 'apply').mockRejectedValue(new Error('the disk is full'))
  const block = lab.build()
  await node.gossip('block', lab.newBlock(block))
  for (const validator of [0, 1, 2]) await node.gossip('vote', lab.precommit(validator, block))
  await waitFor(() => expect(halted).toHaveBeenCalledOnce(), PATIENCE)
  expect([node.driver.halted?.message, node.driver.isPaused]).toEqual(['the disk is full', true])
})

it('that comes when the node has stopped is not written', async () => {
  const lab = await Lab.start()
  const { ledger, clock } = lab.node
  const { verifier } = lab.network
  const ports = { ledger, verifier, clock, log: silentLog, publish: () => {}, self: () => -1, failed: () => {} }
  const finalizer = new Finalizer(ports)
  const checked = await verifier.checkCertified(lab.finalized(lab.build()))
  if (!checked.ok) throw new Error(checked.failure.message)
  finalizer.open()
  await finalizer.close()
  expect(await finalizer.apply(checked.block)).toBeUndefined()
  expect(ledger.tip.height).toBe(0)
  finalizer.open()
  await finalizer.apply(checked.block)
  expect(ledger.tip.height).toBe(1)
})
