/** Validators that were put back, copied or started together: real ledgers, signers and marks. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { decodeVote, VoteType } from '../../src/chain/vote.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { splitNewBlock } from '../../src/codec/raw.ts'
import { type Abstention, describeAbstention } from '../../src/consensus/abstention.ts'
import { noVotes } from '../../src/consensus/catch-up.ts'
import { headerOfBlock } from '../../src/consensus/held.ts'
import { PATIENCE_MS } from '../../src/consensus/signing-gate.ts'
import { Lab } from './support/lab.ts'
import { Network, type TestNode } from './support/rig.ts'
import { ShiftedClock } from './support/shifted-clock.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENCE = { timeout: 30_000, interval: 10 }
const STOPPED = { reason: 'stopped', code: 'SIGNER_DUPLICATE' }

/** All that a node ever signed, in all its lives: of each slot one value. */
class Book {
  readonly #slots = new Map<string, string>()

  take(node: TestNode): void {
    for (const { topic, payload } of node.published) {
      if (topic === 'vote') {
        const { type, height, round, blockHash } = decodeVote(payload)
        this.#add(`${node.index} ${type} ${height}/${round}`, toHex(blockHash))
      } else if (topic === 'block') {
        const { block, round } = splitNewBlock(payload)
        this.#add(`${node.index} PROPOSAL ${headerOfBlock(block).height}/${round}`, toHex(payload))
      }
    }
  }

  #add(slot: string, value: string): void {
    expect(this.#slots.get(slot) ?? value, slot).toBe(value)
    this.#slots.set(slot, value)
  }
}

/** Its owner may say that a long time has passed. */
class HastyClock extends ShiftedClock {
  ahead = 0

  override monotonic(): number {
    return super.monotonic() + this.ahead
  }
}

const homeOf = (network: Network, node: TestNode): string => join(network.dir, node.name)

/** Copies parts of a stopped node's home, or puts them back. */
function copy(from: string, to: string, parts: readonly string[]): void {
  for (const part of parts) {
    rmSync(join(to, part), { recursive: true, force: true })
    cpSync(join(from, part), join(to, part), { recursive: true })
  }
}

const ALL = ['chain', 'signer', 'validator.mark']
const signed = ({ published }: TestNode) => published.filter(({ topic }) => topic === 'vote' || topic === 'block')
const votes = (node: TestNode): number[] =>
  node.published.filter(({ topic }) => topic === 'vote').map(({ payload }) => decodeVote(payload).height)

describe('a validator that was put back', () => {
  it.each([
    ['all of its home', ALL, 'SIGNER_COPIED'],
    ['its data', ['chain', 'signer'], 'SIGNER_BEHIND'],
    ['its log', ['signer'], 'SIGNER_BEHIND']
  ])('%s: it catches up, signs nothing that it signed before, and signs again', async (_, parts, code) => {
    const network = new Network()
    const [node, other] = (await network.start()) as [TestNode, TestNode]
    const home = homeOf(network, node)
    await node.reaches(2)
    await node.stop()
    copy(home, `${home}.backup`, ALL)
    await node.start()
    await node.reaches(node.tip.height + 4)
    await node.stop()
    const book = new Book()
    book.take(node)
    const signedUpTo = Math.max(...votes(node))
    copy(`${home}.backup`, home, parts)
    node.published.length = 0

    await node.start()
    await vi.waitFor(() => expect(votes(node).length).toBeGreaterThan(0), PATIENCE)
    book.take(node)
    expect(Math.min(...votes(node))).toBeGreaterThan(signedUpTo)
    expect(node.driver.abstention).toBeUndefined()
    expect(node.warnings.join('\n')).toMatch(code === 'SIGNER_COPIED' ? /is a copy/ : /lacks what the mark/)
    const { height } = other.tip
    await other.reaches(height + 2)
    book.take(node)
  })

  it('into a network that stands for want of it: it says what to do, and does not sign', async () => {
    const network = new Network()
    const [node, second, third] = [network.add(), network.add(), network.add()]
    for (const one of network.nodes) await one.start()
    await node.reaches(2)
    await node.stop()
    const home = homeOf(network, node)
    copy(home, `${home}.backup`, ALL)
    await node.start()
    await second.reaches(second.tip.height + 2)
    await node.stop()
    copy(`${home}.backup`, home, ALL)
    node.published.length = 0
    await node.start()
    await vi.waitFor(() => expect(node.driver.abstention?.reason).toBe('signed-above'), PATIENCE)
    const { height } = third.tip
    // The others wait for a third vote, and ask for it again and again.
    const asked = second.requests.length
    await vi.waitFor(() => expect(second.requests.length).toBeGreaterThan(asked + 5), PATIENCE)
    expect(third.tip.height).toBe(height)
    expect(signed(node)).toEqual([])
    expect(node.driver.abstention).toMatchObject({ lowest: expect.any(Number), doubt: { code: 'SIGNER_COPIED' } })
  })
})

describe('a key in two places', () => {
  it('the copy never signs while the other does, and says so', async () => {
    const network = new Network()
    const nodes = await network.start()
    const node = nodes[0] as TestNode
    await node.reaches(2)
    await node.stop()
    const twin = network.add()
    Object.assign(twin, { key: node.key })
    copy(homeOf(network, node), homeOf(network, twin), ALL)
    await node.start()
    await node.reaches(node.tip.height + 2)
    await twin.start()
    await vi.waitFor(() => expect(twin.driver.abstention).toMatchObject(STOPPED), PATIENCE)
    const { height } = node.tip
    await node.reaches(height + 4)
    expect(signed(twin)).toEqual([])
    expect(twin.errors.join('\n')).toMatch(/another|other process/)
    expect(node.driver.abstention).toBeUndefined()
  })

  it('an unknown vote, proposal or precommit of its key stops it for good, and after a restart it waits', async () => {
    for (const what of ['vote', 'proposal', 'commit'] as const) {
      const lab = await Lab.start({ self: 1, params: { blockIntervalMs: 60_000, emptyBlockIntervalMs: 60_000 } })
      const { node } = lab
      const stopped = vi.fn()
      node.driver.on('signer-stopped', stopped)
      const block = lab.build(0)
      if (what === 'vote') await node.gossip('vote', lab.prevote(1, block))
      if (what === 'proposal') await node.gossip('block', lab.newBlock(block))
      if (what === 'commit') await node.gossip('finalized', lab.finalized(block, [0, 1, 2]))
      await vi.waitFor(() => expect(stopped).toHaveBeenCalledOnce(), PATIENCE)
      expect(node.driver.abstention, what).toMatchObject(STOPPED)
      await node.stop()
      await node.start()
      await vi.waitFor(() => expect(node.driver.abstention?.reason).toBe('signed-above'), PATIENCE)
      expect(signed(node)).toEqual([])
    }
  })

  it('what others say again of its own is no reason to stop', async () => {
    const lab = await Lab.start({ self: 1, params: { blockIntervalMs: 10, emptyBlockIntervalMs: 10 } })
    const { node } = lab
    const own = () => node.published.filter(({ topic }) => topic === 'vote')
    await vi.waitFor(() => expect(own()).toHaveLength(1), PATIENCE)
    for (const { topic, payload } of [...node.published]) await node.gossip(topic, payload)
    await node.stop()
    await node.start()
    for (const { topic, payload } of [...node.published]) await node.gossip(topic, payload)
    await vi.waitFor(() => expect(node.driver.abstention).toBeUndefined(), PATIENCE)
    expect(decodeVote(own()[0]!.payload).type).toBe(VoteType.PREVOTE)
  })
})

describe('before it has heard anybody', () => {
  it('a validator of four signs nothing, and with a quorum of others it does', async () => {
    const network = new Network()
    const [first, second, third] = [network.add(), network.add(), network.add()]
    await first.start()
    await second.start()
    expect(first.driver.abstention).toMatchObject({ reason: 'listening', heard: expect.any(Number), needed: 2 })
    expect([...signed(first), ...signed(second)]).toEqual([])
    await third.start()
    await third.reaches(2)
    for (const node of network.nodes) expect(node.driver.abstention).toBeUndefined()
  })

  it.each([
    ['put back', ALL, /is a copy: .*; if this node cannot connect to them: .*moloch signer adopt$/],
    [
      'of which only the key is left',
      [],
      /its key is new here; .*if this node cannot connect to them: .*adopt --new-key/
    ]
  ])('a home %s, and nobody but a stranger: it signs nothing, however long that lasts', async (_, parts, words) => {
    const network = new Network()
    const clock = new HastyClock()
    const node = network.add(clock)
    for (let i = 1; i < 4; i++) network.add()
    for (const one of network.nodes) await one.start()
    const home = homeOf(network, node)
    await node.reaches(2)
    await node.stop()
    copy(home, `${home}.backup`, ALL)
    await node.start()
    await node.reaches(node.tip.height + 3)
    await node.stop()
    rmSync(home, { recursive: true })
    copy(`${home}.backup`, home, parts)
    node.published.length = 0

    const stranger = network.add()
    // It is no further than this one by what it says: it hears nobody else.
    network.connects = (one, other) => [one, other].every((peer) => peer === node || peer === stranger)
    await stranger.start()
    node.answer = async () => noVotes()
    await node.start()
    clock.ahead = 100 * PATIENCE_MS
    const asked = node.requests.length
    await vi.waitFor(() => expect(node.requests.length).toBeGreaterThan(asked + 2), PATIENCE)
    expect(node.driver.abstention).toMatchObject({ reason: 'listening', heard: 0 })
    expect(describeAbstention(node.driver.abstention as Abstention)).toMatch(words)
    expect(signed(node)).toEqual([])
  })

  it('a chain that has its signatures says that the log is older', async () => {
    const network = new Network()
    const [node] = (await network.start()) as [TestNode]
    const home = homeOf(network, node)
    await node.reaches(2)
    await node.stop()
    // As a snapshot of the disk brings it back, with the newest chain: the mark is at home in its file.
    copy(home, `${home}.backup`, ['signer'])
    const mark = new (await import('../../src/consensus/mark-file.ts')).MarkFile(join(home, 'validator.mark'))
    const state = await mark.read()
    if (state.kind !== 'read') throw new Error('no mark')
    await node.start()
    await node.reaches(node.tip.height + 3)
    await node.stop()
    copy(`${home}.backup`, home, ['signer'])
    await mark.write(state.mark)
    await mark.close()
    network.connects = () => false
    await node.start()
    expect(node.driver.abstention).toMatchObject({ reason: 'listening', doubt: { code: 'SIGNER_BEHIND' } })
  })
})
