/** What a node asks its peers for while a height goes on, and what it takes of their answers. */
import { describe, expect, it, vi } from 'vitest'
import { encodeProposal, signProposal } from '../../src/chain/proposal.ts'
import { encodeVote, VoteType } from '../../src/chain/vote.ts'
import { toHex } from '../../src/codec/bytes.ts'
import type { GetVotes, RawVotes } from '../../src/codec/generated/sync.ts'
import { Asker } from '../../src/consensus/asker.ts'
import { noVotes } from '../../src/consensus/catch-up.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { MolochError } from '../../src/error.ts'
import type { BuiltBlock } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'
import { ManualClock } from './support/manual-clock.ts'
import type { TestNode } from './support/rig.ts'

vi.setConfig({ testTimeout: 60_000 })

/** An observer that has one peer, and whose time stands still; what was asked at its start was asked of nobody. */
async function lonely(): Promise<Lab & { clock: ManualClock }> {
  const clock = new ManualClock()
  const lab = await Lab.start({ clock })
  await clock.pass(1000)
  lab.node.strangers.push('peer')
  return Object.assign(lab, { clock })
}

const named = ({ requests }: TestNode): string[] =>
  requests.map(({ blockHash }) => toHex(blockHash)).filter((hash) => hash !== '')

/** The bytes of a block that it holds, as it would serve them. */
async function held(node: TestNode, { hash, header }: BuiltBlock): Promise<number> {
  const request = { height: header.height, round: 0, blockHash: new Uint8Array(hash), have: [] }
  return (await node.driver.readVotes(request)).block.byteLength
}

/** What a node does with an answer of a peer that has just come. */
async function answered(lab: Lab, answer: Partial<RawVotes>): Promise<GetVotes> {
  const { node } = lab
  node.answer = async () => ({ ...noVotes(), ...answer })
  const before = node.requests.length
  node.driver.peerReady('peer')
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
  expect(node.requests).toHaveLength(before + 1)
  return node.requests.at(-1)!
}

describe('a driver', () => {
  it('asks for a block as soon as votes name one that it does not hold', async () => {
    const lab = await lonely()
    const { node, clock } = lab
    const block = lab.build()
    for (const validator of [0, 2, 3]) await node.gossip('vote', lab.precommit(validator, block))
    await clock.pass(0)
    expect(named(node)).toEqual([toHex(block.hash)])
  })

  it('asks again for a block that threads die of, once what it had is gone', async () => {
    const lab = await lonely()
    const { node, clock } = lab
    const crash = new MolochError('VERIFY_CRASHED', 'a thread died')
    const check = vi.spyOn(lab.network.verifier, 'checkProposed').mockRejectedValue(crash)
    const block = lab.build()
    expect(await node.gossip('block', lab.newBlock(block))).toBe('accept')
    await clock.pass(0)
    expect(check).toHaveBeenCalledTimes(2)
    expect([named(node), await held(node, block)]).toEqual([[toHex(block.hash)], 0])
  })

  it('asks nobody while it is paused, and what was asked before is not taken', async () => {
    const clock = new ManualClock()
    const answers: (() => void)[] = []
    const take = vi.fn(async () => false)
    const asker = new Asker({
      clock,
      log: silentLog,
      request: () => ({ height: 1, round: 0, blockHash: new Uint8Array(0), have: [] }),
      take,
      peers: {
        peers: () => ['peer'],
        standing: () => undefined,
        penalise: () => {},
        getVotes: () => new Promise((resolve) => answers.push(() => resolve(noVotes())))
      }
    })
    asker.ask()
    await clock.pass(0)
    asker.ask()
    asker.stop()
    for (const answer of answers) answer()
    await clock.pass(5000)
    expect([answers.length, take.mock.calls.length]).toEqual([1, 0])
  })
})

it('who is heights behind asks who answered at once, as long as it gets further', async () => {
  const clock = new ManualClock()
  let left = 3
  const getVotes = vi.fn(async () => noVotes())
  const asker = new Asker({
    clock,
    log: silentLog,
    request: () => ({ height: 1, round: 0, blockHash: new Uint8Array(0), have: [] }),
    take: async () => left-- > 0,
    peers: { peers: () => ['peer'], standing: () => undefined, penalise: () => {}, getVotes }
  })
  asker.askPeer('peer')
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
  expect(getVotes).toHaveBeenCalledTimes(4)
})

describe('of an answer', () => {
  it('a block that nobody asked for is the fault of who sent it, and is not held', async () => {
    const lab = await lonely()
    const block = lab.build()
    const { blockHash } = await answered(lab, { block: new Uint8Array(block.blockBytes) })
    expect(blockHash.byteLength).toBe(0)
    expect([lab.node.penalties, await held(lab.node, block)]).toEqual([['BAD_HEIGHT'], 0])
  })

  it('a block other than the one asked for is, too', async () => {
    const lab = await lonely()
    const [wanted, other] = [lab.build(0, [], 1_900_000_000_000), lab.build(0, [], 1_900_000_000_001)]
    for (const validator of [0, 2, 3]) await lab.node.gossip('vote', lab.prevote(validator, wanted))
    const { blockHash } = await answered(lab, { block: new Uint8Array(other.blockBytes) })
    expect(toHex(blockHash)).toBe(toHex(wanted.hash))
    expect([lab.node.penalties, await held(lab.node, other)]).toEqual([['BAD_HEIGHT'], 0])
  })

  it('a block that nothing names any more is not held, and is nobody’s fault', async () => {
    const lab = await lonely()
    const { node, clock } = lab
    const block = lab.build()
    let answer: (() => void) | undefined
    node.answer = () =>
      new Promise((resolve) => {
        answer = () => resolve({ ...noVotes(), block: new Uint8Array(block.blockBytes) })
      })
    for (const validator of [0, 2, 3]) await node.gossip('vote', lab.prevote(validator, block))
    node.driver.peerReady('peer')
    await clock.pass(0)
    expect(named(node)).toEqual([toHex(block.hash)])
    // The round ends while the answer is on its way.
    for (const validator of [0, 2]) await node.gossip('vote', lab.prevote(validator, undefined, 1))
    expect(node.driver.position?.round).toBe(1)
    answer?.()
    await clock.pass(0)
    expect([await held(node, block), node.penalties]).toEqual([0, []])
  })

  it('a vote or proposal with a false signature is the fault of who sent it, and does not count', async () => {
    const lab = await lonely()
    const { node, network } = lab
    const block = lab.build()
    const vote = lab.vote(VoteType.PREVOTE, 0, block)
    const false0 = encodeVote({ ...vote, signature: lab.vote(VoteType.PREVOTE, 0, undefined).signature })
    await answered(lab, { votes: [new Uint8Array(false0)] })
    expect(node.penalties).toEqual(['VOTE_BAD_SIGNATURE'])
    const slot = { height: 1, round: 0, blockHash: new Uint8Array(block.hash) }
    const by = (validator: number): Uint8Array<ArrayBuffer> => {
      const signature = signProposal(network.genesis.hash, lab.keys[validator] as KeyPair, slot)
      return new Uint8Array(encodeProposal({ ...slot, signature: new Uint8Array(signature) }))
    }
    const proposer = lab.proposer(0)
    await answered(lab, { proposal: by((proposer + 1) % 4) })
    expect(node.penalties).toHaveLength(2)
    const have = await node.driver.readVotes({ height: 1, round: 0, blockHash: new Uint8Array(0), have: [] })
    expect([have.votes, have.proposal.byteLength]).toEqual([[], 0])
    await answered(lab, { proposal: by(proposer), votes: [new Uint8Array(encodeVote(vote))] })
    const good = await node.driver.readVotes({ height: 1, round: 0, blockHash: new Uint8Array(0), have: [] })
    expect([good.votes.length, good.proposal.byteLength > 0, node.penalties.length]).toEqual([1, true, 2])
  })

  it('a finalized block without a certificate is the fault of who sent it', async () => {
    const lab = await lonely()
    const finalized = new Uint8Array(lab.finalized(lab.build()))
    finalized[finalized.length - 1]! ^= 1
    lab.node.answer = async () => ({ ...noVotes(), finalized })
    lab.node.driver.peerReady('peer')
    await waitFor(() => expect(lab.node.penalties).toHaveLength(1))
    expect(lab.node.tip.height).toBe(0)
  })
})

it('a block that has no commit here is not answered: the genesis’s', async () => {
  const { node } = await Lab.start()
  const answer = await node.driver.readVotes({ height: 0, round: 0, blockHash: new Uint8Array(0), have: [] })
  expect(answer).toEqual(noVotes())
})
