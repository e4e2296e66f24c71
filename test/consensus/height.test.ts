/** That the shell of a height does each thing that the machine asks of it. */
import { expect, it, vi } from 'vitest'
import { decodeVote } from '../../src/chain/vote.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'
import { ManualClock } from './support/manual-clock.ts'
import type { TestNode } from './support/rig.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENCE = { timeout: 20_000, interval: 10 }

/** `PREVOTE 0 nil`, in order. */
const votesOf = (node: TestNode): string[] =>
  node.published
    .filter(({ topic }) => topic === 'vote')
    .map(({ payload }) => decodeVote(payload))
    .map(({ type, round, blockHash }) => `${type} ${round} ${toHex(blockHash) || 'nil'}`)

const signs = (node: TestNode, ...votes: string[]): Promise<void> =>
  waitFor(() => expect(votesOf(node)).toEqual(votes), PATIENCE)

it('a valid value that comes without a precommit is in the signer’s log', async () => {
  const lab = await Lab.start({ self: 0 })
  const { node } = lab
  const keys: string[] = []
  node.write = (store, writes) => {
    keys.push(...writes.map(({ key }) => key))
    return store.write(writes)
  }
  const block = lab.build()
  const hash = toHex(block.hash)
  await node.gossip('block', lab.newBlock(block))
  await signs(node, `PREVOTE 0 ${hash}`)
  for (const validator of [2, 3]) await node.gossip('vote', lab.prevote(validator, undefined, 1))
  expect(node.driver.position).toMatchObject({ round: 1, step: 'propose' })
  // What somebody may be locked on since round 0.
  for (const validator of [1, 2]) await node.gossip('vote', lab.prevote(validator, block))
  await waitFor(() => expect(keys).toContain(`valid/0/${hash}`), PATIENCE)
  expect(keys.filter((key) => key.startsWith('locked/'))).toEqual([])
})

it('a block that the height needs no more is not held', async () => {
  const lab = await Lab.start()
  const { node } = lab
  const block = lab.build()
  const isHeld = async (): Promise<boolean> =>
    (await node.driver.readVotes({ height: 1, round: 0, blockHash: new Uint8Array(block.hash), have: [] })).block
      .byteLength > 0
  await node.gossip('block', lab.newBlock(block))
  expect(await isHeld()).toBe(true)
  for (const validator of [2, 3]) await node.gossip('vote', lab.prevote(validator, undefined, 9))
  expect([node.driver.position?.round, await isHeld()]).toEqual([9, false])
})

it('a quorum for a block that is found invalid is told, and not followed', async () => {
  const lab = await Lab.start()
  const { node } = lab
  const other = await Lab.start({ params: { blockIntervalMs: 50_000 } })
  const block = lab.build(0, [other.network.event()])
  expect(await node.gossip('block', lab.newBlock(block))).toBe('ignore')
  for (const validator of [0, 1, 2]) await node.gossip('vote', lab.precommit(validator, block))
  expect(node.errors.filter((line) => line.startsWith('a quorum voted'))).toEqual([
    'a quorum voted for a block that this node finds invalid; it does not follow'
  ])
  expect([node.driver.position?.height, node.tip.height]).toEqual([1, 0])
})

it('what round 0 waits for does not come into the next round', async () => {
  const clock = new ManualClock()
  const params = { blockIntervalMs: 1000, emptyBlockIntervalMs: 5000, timeoutProposeMs: 8000, timeoutDeltaMs: 1000 }
  const lab = await Lab.start({ self: 0, clock, params })
  const { node } = lab
  for (const validator of [1, 2]) await node.gossip('vote', lab.precommit(validator, undefined, 1))
  expect(node.driver.position).toMatchObject({ round: 1, step: 'propose' })
  // Round 0 would have begun after 5 s, and would take the place of the timeout of round 1, which ends after 9 s.
  await clock.pass(9000)
  await signs(node, 'PREVOTE 1 nil')
})

it('a proposer whose block cannot be made votes nil in its round', async () => {
  const clock = new ManualClock()
  const lab = await Lab.start({ self: 1, clock, params: { blockIntervalMs: 1000, emptyBlockIntervalMs: 1000 } })
  const { node } = lab
  const build = vi.spyOn(node.ledger, 'buildBlock').mockImplementation(() => {
    throw new Error('no memory')
  })
  await clock.pass(1000)
  await signs(node, 'PREVOTE 0 nil')
  expect(build).toHaveBeenCalledOnce()
  expect(node.errors).toEqual(['no block could be proposed'])
})

it('a proposal that is refused for its time is told of, and whose it is', async () => {
  const lab = await Lab.start()
  const { node } = lab
  await node.gossip('block', lab.newBlock(lab.build(0, [], Date.now() + 3_600_000)))
  await waitFor(() => expect(node.driver.outlook().clock.faults).toEqual([expect.stringContaining('v1')]), PATIENCE)
})
