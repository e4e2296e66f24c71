/** A chain does not begin before its genesis's time, by the clock of each validator. */
import { expect, it } from 'vitest'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'
import { ManualClock } from './support/manual-clock.ts'
import type { TestNode } from './support/rig.ts'

const PATIENCE = { timeout: 20_000, interval: 5 }
const HOUR_MS = 3_600_000
const params = { blockIntervalMs: 1000, emptyBlockIntervalMs: 5000, timeoutProposeMs: 1000 }

async function lab(self: number): Promise<{ room: Lab; node: TestNode; clock: ManualClock }> {
  const clock = new ManualClock()
  const room = await Lab.start({ params, self, clock, timestamp: clock.now() + HOUR_MS })
  return { room, node: room.node, clock }
}

const topics = (node: TestNode): string[] => node.published.map(({ topic }) => topic)

it('nothing is proposed before it, and the first block comes when its interval has passed since', async () => {
  const { node, clock } = await lab(1)
  await clock.pass(HOUR_MS - 1)
  expect(node.driver.abstention).toEqual({ reason: 'genesis-time', until: node.ledger.genesis.timestamp })
  await clock.pass(1)
  await waitFor(() => expect(node.driver.abstention).toBeUndefined(), PATIENCE)
  await clock.pass(params.emptyBlockIntervalMs - 1)
  expect(topics(node)).toEqual([])
  await clock.pass(1)
  await waitFor(() => expect(topics(node)).toContain('block'), PATIENCE)
})

it('a clock that is set is noticed', async () => {
  const { node, clock } = await lab(1)
  await clock.pass(60_000)
  expect(topics(node)).toEqual([])
  expect(node.driver.abstention).toMatchObject({ reason: 'genesis-time' })
  clock.epoch += HOUR_MS
  await clock.pass(10_000)
  await clock.pass(params.emptyBlockIntervalMs)
  await waitFor(() => expect(topics(node)).toContain('block'), PATIENCE)
})

it('who thinks that it is early signs nothing and follows the others all the same', async () => {
  const { room, node } = await lab(0)
  const block = room.build(0, [], node.ledger.genesis.timestamp + 1)
  await node.gossip('block', room.newBlock(block))
  // Checked: one that may sign would prevote it now.
  await waitFor(() => expect(node.driver.pending()).toBeDefined(), PATIENCE)
  expect(node.driver.abstention).toMatchObject({ reason: 'genesis-time' })
  for (const validator of [1, 2, 3]) await node.gossip('vote', room.precommit(validator, block))
  await node.reaches(1)
  expect(topics(node)).not.toContain('vote')
  expect(node.driver.abstention).toBeUndefined()
})
