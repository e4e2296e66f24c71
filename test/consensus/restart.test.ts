/** A validator that is stopped at each step of a height and started again: what it signed, it offers again. */
import { expect, it, vi } from 'vitest'
import { decodeVote, VoteType } from '../../src/chain/vote.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { splitNewBlock } from '../../src/codec/raw.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'
import { Network, type TestNode } from './support/rig.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENCE = { timeout: 20_000, interval: 10 }

const PROPOSER = 1
const quick = { params: { blockIntervalMs: 10, emptyBlockIntervalMs: 10 } }

/** Everything that the node ever published for a slot, each thing once. */
function published(node: TestNode, slot: 'block' | VoteType): string[] {
  const payloads = node.published.flatMap(({ topic, payload }) => {
    if (topic === 'block') return slot === 'block' ? [toHex(payload)] : []
    return topic === 'vote' && decodeVote(payload).type === slot ? [toHex(payload)] : []
  })
  return [...new Set(payloads)]
}

const seen = (node: TestNode, slot: 'block' | VoteType): Promise<void> =>
  waitFor(() => expect(published(node, slot)).toHaveLength(1), PATIENCE)

async function restart(node: TestNode): Promise<void> {
  const before = node.published.length
  await node.stop()
  // The events of the first life: a new block would be another one.
  node.mempool.remove([...node.mempool.events()].map(({ id }) => id))
  await node.start()
  await waitFor(() => expect(node.published.length).toBeGreaterThan(before), PATIENCE)
}

it('after its proposal, its prevote, its precommit: it says the same again and the height goes on', async () => {
  const lab = await Lab.start({ self: PROPOSER, ...quick })
  const { node } = lab
  node.submit(lab.network.event())
  await seen(node, 'block')
  const block = splitNewBlock(new Uint8Array(Buffer.from(published(node, 'block')[0]!, 'hex'))).block
  await seen(node, VoteType.PREVOTE)
  await restart(node)
  expect(published(node, 'block')).toHaveLength(1)
  expect(published(node, VoteType.PREVOTE)).toHaveLength(1)

  const { pending } = { pending: () => node.driver.pending() }
  const hash = pending()!.hash
  const asBlock = { hash, blockBytes: block, header: undefined as never }
  await node.gossip('vote', lab.prevote(2, asBlock))
  await node.gossip('vote', lab.prevote(3, asBlock))
  await seen(node, VoteType.PRECOMMIT)
  await restart(node)
  expect(node.driver.position).toEqual({ height: 1, round: 0, step: 'precommit' })
  expect(published(node, VoteType.PRECOMMIT)).toHaveLength(1)
  // The proof of its lock is served to who lacks it, and so is the block.
  const have = await node.driver.readVotes({ height: 1, round: 0, blockHash: new Uint8Array(hash), have: [] })
  const prevotes = have.votes.map((bytes) => decodeVote(bytes)).filter(({ type }) => type === VoteType.PREVOTE)
  expect(prevotes).toHaveLength(3)
  expect(toHex(have.block)).toBe(toHex(block))

  await node.gossip('vote', lab.precommit(2, asBlock))
  await node.gossip('vote', lab.precommit(3, asBlock))
  await node.reaches(1)
  expect(node.tip.hash).toBe(toHex(hash))
  expect(node.errors).toEqual([])
})

it('paused with a precommit under way, it resumes with the lock of it', async () => {
  const lab = await Lab.start({ self: PROPOSER, ...quick })
  const { node } = lab
  await seen(node, VoteType.PREVOTE)
  let release: (() => void) | undefined
  node.write = (store, writes) =>
    new Promise((resolve, reject) => {
      release = () => store.write(writes).then(resolve, reject)
    })
  const block = { hash: node.driver.pending()!.hash, blockBytes: new Uint8Array(0), header: undefined as never }
  await node.gossip('vote', lab.prevote(2, block))
  await node.gossip('vote', lab.prevote(3, block))
  await waitFor(() => expect(release).toBeDefined(), PATIENCE)
  node.driver.pause()
  node.driver.resume()
  release?.()
  await seen(node, VoteType.PRECOMMIT)
  await waitFor(() => expect(node.driver.position?.step).toBe('precommit'), PATIENCE)
  // Had it begun anew without the lock, it would prevote again and be refused.
  expect(published(node, VoteType.PREVOTE)).toHaveLength(1)
  expect(node.errors).toEqual([])
})

it.each(['paused', 'stopped'])(
  '%s with a valid value before it has signed anything, it takes that block after',
  async (what) => {
    const lab = await Lab.start({ self: 0 })
    const { node } = lab
    const block = lab.build(0)
    const kept: string[] = []
    node.write = async (store, writes) => {
      await store.write(writes)
      kept.push(...writes.map(({ key }) => key))
    }
    const enterRoundOne = async (): Promise<void> => {
      for (const validator of [2, 3]) await node.gossip('vote', lab.prevote(validator, undefined, 1))
    }
    await enterRoundOne()
    expect(node.driver.position).toMatchObject({ round: 1, step: 'propose' })
    await node.gossip('block', lab.newBlock(block))
    for (const validator of [1, 2, 3]) await node.gossip('vote', lab.prevote(validator, block))
    await waitFor(() => expect(kept).toContain(`valid/0/${toHex(block.hash)}`), PATIENCE)
    expect(node.published).toEqual([])

    if (what === 'paused') {
      node.driver.pause()
      node.driver.resume()
    } else {
      await node.stop()
      await node.start()
    }
    await waitFor(async () => {
      // The height may begin anew in between, when it has heard the others.
      await enterRoundOne()
      await node.gossip('block', lab.newBlock(block, 1, 0))
      expect(published(node, VoteType.PREVOTE)).toHaveLength(1)
    }, PATIENCE)
    expect(toHex(decodeVote(node.published[0]!.payload).blockHash)).toBe(toHex(block.hash))
    for (const validator of [1, 2, 3]) await node.gossip('vote', lab.precommit(validator, block, 1))
    await node.reaches(1)
    expect(node.tip.hash).toBe(toHex(block.hash))
    expect(node.errors).toEqual([])
  }
)

it('whose signer’s log cannot be written votes no more and says so; it still follows', async () => {
  const lab = await Lab.start({ self: PROPOSER, ...quick })
  const { node } = lab
  await seen(node, VoteType.PREVOTE)
  const broken = vi.fn()
  node.driver.on('signer-stopped', broken)
  node.write = () => Promise.reject(new Error('the disk is full'))
  const block = { hash: node.driver.pending()!.hash, blockBytes: new Uint8Array(0), header: undefined as never }
  await node.gossip('vote', lab.prevote(2, block))
  await node.gossip('vote', lab.prevote(3, block))
  await waitFor(() => expect(broken).toHaveBeenCalledOnce(), PATIENCE)
  expect(published(node, VoteType.PRECOMMIT)).toEqual([])
  for (const validator of [0, 2, 3]) await node.gossip('vote', lab.precommit(validator, block))
  await node.reaches(1)
  expect(node.errors).toEqual([
    expect.stringMatching(/^this validator signs nothing more until it is restarted: .* written \(the disk is full\)$/)
  ])
})

it('a validator without its window signs nothing, and votes in a height that waits for it as soon as it has it', async () => {
  const network = new Network({ blockIntervalMs: 10, emptyBlockIntervalMs: 10 })
  // The fourth is away: nothing is decided without the third.
  const [first, second, third] = [network.add(), network.add(), network.add()]
  third.maySign = false
  for (const node of network.nodes) await node.start()
  for (const node of [first, second]) {
    await waitFor(() => expect(published(node, VoteType.PREVOTE).length).toBeGreaterThan(0), PATIENCE)
  }
  expect(third.published).toEqual([])
  expect(first.tip.height).toBe(0)

  third.maySign = true
  third.driver.maySignNow()
  await first.reaches(3)
  expect(third.errors).toEqual([])
})
