import { describe, expect, it, vi } from 'vitest'
import { checkFinalized } from '../../src/chain/check-block.ts'
import { decodeVote, VoteType } from '../../src/chain/vote.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { joinFinalized, splitBlock, splitFinalized } from '../../src/codec/raw.ts'
import { waitFor } from '../support/until.ts'
import { Network, type TestNode } from './support/rig.ts'

async function allReach(nodes: readonly TestNode[], height: number): Promise<void> {
  await Promise.all(nodes.map((node) => node.reaches(height)))
}

/** The hashes of all blocks up to a height. */
async function hashes(node: TestNode, height: number): Promise<string[]> {
  const list: string[] = []
  for (let at = 1; at <= height; at++) list.push(toHex((await node.ledger.blockAt(at))?.hash ?? new Uint8Array(0)))
  return list
}

// Real disks and threads: how long it takes is the machine's doing.
vi.setConfig({ testTimeout: 60_000 })

describe('four validators', () => {
  it('finalize every event once, in the same blocks, each with a commit that verifies', async () => {
    const network = new Network()
    const nodes = await network.start()
    const events = Array.from({ length: 60 }, () => network.event())
    network.submit(...events.slice(0, 30))
    await allReach(nodes, 2)
    network.submit(...events.slice(30))
    await allReach(nodes, 6)
    const chain = await hashes(nodes[0]!, 6)
    for (const node of nodes) expect(await hashes(node, 6)).toEqual(chain)
    const found: number[] = []
    for (const event of events) found.push((await nodes[2]!.ledger.event(event.id))?.height ?? -1)
    expect(found).not.toContain(-1)
    expect(nodes[1]!.ledger.eventTotal).toBe(events.length)
    for (const { mempool } of nodes) expect(mempool.stats().events).toBe(0)
    for (let height = 1; height <= 6; height++) {
      const { blockBytes, commitBytes } = (await nodes[3]!.ledger.blockAt(height))!
      const result = checkFinalized(network.genesis, joinFinalized(blockBytes, commitBytes), { verifyEvents: true })
      expect(result.ok && result.block.deferred).toBe(undefined)
    }
    expect(nodes.flatMap(({ errors, penalties }) => [...errors, ...penalties])).toEqual([])
  })

  it('publish what they decide', async () => {
    const network = new Network()
    const nodes = await network.start()
    await allReach(nodes, 3)
    for (const node of nodes) await node.stop()
    const published = nodes.flatMap((node) => node.published).filter(({ topic }) => topic === 'finalized')
    const heights = published.map(({ payload }) => {
      const result = checkFinalized(network.genesis, payload)
      if (!result.ok || result.block.deferred !== undefined) throw new Error('published a bad block')
      return result.block.height
    })
    expect(heights).toEqual(expect.arrayContaining([1, 2]))
  })

  it('go on without one of them, whose turns cost a round, and take it back', async () => {
    const network = new Network()
    const nodes = await network.start()
    await allReach(nodes, 2)
    const [dead, ...others] = [nodes[3]!, nodes[0]!, nodes[1]!, nodes[2]!]
    await dead.stop()
    const stopped = dead.ledger.tip.height
    const events = Array.from({ length: 10 }, () => network.event())
    network.submit(...events)
    // In five heights the dead one's turn comes, and the one after it gets the block through in round 1.
    await allReach(others, stopped + 5)
    await dead.start()
    await dead.reaches(stopped + 5)
    expect(await hashes(dead, stopped + 5)).toEqual(await hashes(others[0]!, stopped + 5))
    const from = dead.ledger.tip.height
    await allReach(nodes, from + 4)
    const votes = dead.published.filter(({ topic }) => topic === 'vote').map(({ payload }) => decodeVote(payload))
    const precommits = votes.filter(({ type, blockHash }) => type === VoteType.PRECOMMIT && blockHash.byteLength > 0)
    expect(Math.max(...precommits.map(({ height }) => height))).toBeGreaterThan(from)
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([])
  })

  it('stand still while two are gone and go on when they are back', async () => {
    const network = new Network()
    const nodes = await network.start()
    await allReach(nodes, 1)
    await nodes[0]!.stop()
    await nodes[1]!.stop()
    const height = Math.max(...nodes.map((node) => node.ledger.tip.height))
    network.submit(network.event())
    // Each asks when a full timeout has passed: several have, and nothing can have been decided.
    const asked = nodes[2]!.requests.length
    await waitFor(() => expect(nodes[2]!.requests.length).toBeGreaterThan(asked + 2), { timeout: 30_000 })
    expect(nodes[2]!.ledger.tip.height).toBeLessThanOrEqual(height + 1)
    const stuck = nodes[2]!.ledger.tip.height
    await nodes[0]!.start()
    await nodes[1]!.start()
    await allReach(nodes, stuck + 3)
  })

  it('go on after all of them were stopped at the same moment, again and again', async () => {
    const network = new Network()
    const nodes = await network.start()
    for (let life = 0; life < 4; life++) {
      const height = Math.max(...nodes.map((node) => node.ledger.tip.height))
      await nodes[life]!.reaches(height + 1)
      await Promise.all(nodes.map((node) => node.stop()))
      await Promise.all(nodes.map((node) => node.start()))
      await allReach(nodes, height + 2)
    }
    const common = Math.min(...nodes.map((node) => node.ledger.tip.height))
    const chain = await hashes(nodes[0]!, common)
    for (const node of nodes) expect(await hashes(node, common)).toEqual(chain)
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([])
  })
})

describe('an observer', () => {
  it('follows without a vote and serves what it holds', async () => {
    const network = new Network()
    const nodes = await network.start(5)
    const observer = nodes[4]!
    await allReach(nodes, 3)
    expect(observer.published).toEqual([])
    const { finalized } = await observer.driver.readVotes({
      height: 2,
      round: 0,
      blockHash: new Uint8Array(0),
      have: []
    })
    const block = (await observer.ledger.blockAt(2))!
    expect(toHex(splitFinalized(finalized).block)).toBe(toHex(block.blockBytes))
  })

  it('that comes late asks its way up, one finalized block after the other', async () => {
    const network = new Network()
    const nodes = await network.start()
    await allReach(nodes, 4)
    const late = network.add()
    await late.start()
    await allReach([late, nodes[0]!], 5)
    expect(await hashes(late, 5)).toEqual(await hashes(nodes[0]!, 5))
    expect(late.requests.length).toBeGreaterThan(0)
  })
})

describe('one validator alone', () => {
  it('makes a chain', async () => {
    const network = new Network({}, 1)
    const [node] = await network.start()
    const event = network.event()
    network.submit(event)
    await node!.reaches(3)
    const found = await node!.ledger.event(event.id)
    expect(splitBlock((await node!.ledger.blockAt(found!.height))!.blockBytes).events).toHaveLength(1)
  })
})
