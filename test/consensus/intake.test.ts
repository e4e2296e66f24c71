/** Gossip's verdicts (protocol §10): reject only what nobody should have sent, ignore what is of no use. */
import { describe, expect, it, vi } from 'vitest'
import { decodeCommit, encodeCommit } from '../../src/chain/commit.ts'
import { encodeVote, VoteType } from '../../src/chain/vote.ts'
import { joinFinalized, splitFinalized } from '../../src/codec/raw.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENCE = { timeout: 20_000, interval: 10 }

const broken = (bytes: Uint8Array, at = -1): Uint8Array => {
  const copy = new Uint8Array(bytes)
  const index = at < 0 ? copy.length + at : at
  copy[index] = copy[index]! ^ 1
  return copy
}

/** The block's event is signed for another chain: nothing that gossip looks at first shows it. */
const withBadEvent = async (lab: Lab) => {
  const other = await Lab.start({ params: { blockIntervalMs: 50_000 } })
  return lab.build(0, [other.network.event()])
}

describe('votes', () => {
  const gossip = (lab: Lab, payload: Uint8Array) => lab.node.gossip('vote', payload)

  it('of validators with good signatures are accepted, once', async () => {
    const lab = await Lab.start()
    expect(await gossip(lab, lab.prevote(0, undefined))).toBe('accept')
    expect(await gossip(lab, lab.prevote(0, undefined))).toBe('ignore')
    expect(await gossip(lab, lab.prevote(1, undefined))).toBe('accept')
  })

  it('are rejected if they are no votes, by no validator, or falsely signed', async () => {
    const lab = await Lab.start()
    expect(await gossip(lab, new Uint8Array([1, 2, 3]))).toBe('reject')
    expect(await gossip(lab, new Uint8Array(0))).toBe('reject')
    expect(await gossip(lab, broken(lab.prevote(0, undefined)))).toBe('reject')
    const stranger = { ...lab.vote(VoteType.PREVOTE, 0, undefined), validator: new Uint8Array(32).fill(8) }
    expect(await gossip(lab, encodeVote(stranger))).toBe('reject')
    const noType = { ...lab.vote(VoteType.PREVOTE, 0, undefined), type: VoteType.VOTE_UNSPECIFIED }
    expect(await gossip(lab, encodeVote(noType))).toBe('reject')
    expect(await gossip(lab, Uint8Array.from([...lab.prevote(0, undefined), 0x78, 1]))).toBe('reject')
    // A nil vote said again as one for 32 zero bytes; whatever its height, and whether the slot is taken.
    expect(await gossip(lab, lab.prevote(0, undefined))).toBe('accept')
    for (const height of [0, 1, 2, 9]) {
      const nil = lab.vote(VoteType.PREVOTE, 0, undefined, 0, height)
      expect(await gossip(lab, encodeVote({ ...nil, blockHash: new Uint8Array(32) }))).toBe('reject')
    }
  })

  it('falsely signed are rejected wherever this node is: of no use, known, stale, early or while it syncs', async () => {
    const lab = await Lab.start()
    const good = lab.prevote(0, undefined)
    const far = encodeVote(lab.vote(VoteType.PREVOTE, 0, undefined, 1001))
    await gossip(lab, good)
    for (const vote of [good, far])
      expect([await gossip(lab, broken(vote)), await gossip(lab, vote)]).toEqual(['reject', 'ignore'])
    await lab.node.gossip('finalized', lab.finalized(lab.build()))
    expect([await gossip(lab, broken(good)), await gossip(lab, good)]).toEqual(['reject', 'ignore'])
    lab.node.driver.pause()
    expect([await gossip(lab, broken(far)), await gossip(lab, far)]).toEqual(['reject', 'ignore'])
  })

  it('two different ones: both are accepted, and are evidence; a third is one too many', async () => {
    const lab = await Lab.start()
    const [a, b, c] = [lab.build(0), lab.build(1), lab.build(2)]
    expect(await gossip(lab, lab.prevote(0, a))).toBe('accept')
    expect(await gossip(lab, lab.prevote(0, b))).toBe('accept')
    expect(await gossip(lab, lab.prevote(0, c))).toBe('ignore')
    await waitFor(async () => expect(await lab.node.ledger.evidence()).toHaveLength(1), PATIENCE)
    const [evidence] = await lab.node.ledger.evidence()
    expect(evidence).toMatchObject({ kind: 'votes', height: 1, parts: [lab.prevote(0, a), lab.prevote(0, b)] })
    expect(evidence?.description).toBe('v0 signed two different PREVOTEs at height 1, round 0')
  })

  it('of past heights, rounds above r+1000 and heights far ahead are ignored; a bad signature never is fine', async () => {
    const lab = await Lab.start()
    expect(await gossip(lab, lab.prevote(0, undefined, 1001))).toBe('ignore')
    expect(await gossip(lab, lab.prevote(0, undefined, 1000))).toBe('accept')
    const ahead = encodeVote(lab.vote(VoteType.PREVOTE, 0, undefined, 0, 9))
    expect(await gossip(lab, ahead)).toBe('ignore')
    expect(await gossip(lab, broken(ahead))).toBe('reject')
    const late = lab.prevote(1, undefined)
    await lab.node.gossip('finalized', lab.finalized(lab.build()))
    expect(await gossip(lab, late)).toBe('ignore')
  })

  it('of the next height wait for it', async () => {
    const lab = await Lab.start()
    const next = (validator: number) => encodeVote(lab.vote(VoteType.PRECOMMIT, validator, undefined, 0, 2))
    expect(await gossip(lab, next(0))).toBe('accept')
    expect(await gossip(lab, next(0))).toBe('ignore')
    // Of its first rounds alone.
    const far = lab.vote(VoteType.PRECOMMIT, 0, undefined, 2, 2)
    expect(await gossip(lab, encodeVote(far))).toBe('ignore')
    await lab.node.gossip('finalized', lab.finalized(lab.build()))
    expect(await gossip(lab, next(0))).toBe('ignore')
    const votes = await lab.node.driver.readVotes({ height: 2, round: 0, blockHash: new Uint8Array(0), have: [] })
    expect(votes.votes.map((bytes) => [...bytes])).toEqual([[...next(0)]])
  })
})

describe('blocks', () => {
  const gossip = (lab: Lab, payload: Uint8Array) => lab.node.gossip('block', payload)

  it('good proposals are accepted, once', async () => {
    const lab = await Lab.start()
    const message = lab.newBlock(lab.build(0, [lab.network.event()]))
    expect(await gossip(lab, message)).toBe('accept')
    expect(await gossip(lab, message)).toBe('ignore')
  })

  it('are rejected for what everybody checks: form, size, proposer, seal, proposal signature', async () => {
    const lab = await Lab.start()
    const block = lab.build()
    const good = lab.newBlock(block)
    expect(await gossip(lab, new Uint8Array([9, 9]))).toBe('reject')
    expect(await gossip(lab, broken(good))).toBe('reject')
    expect(await gossip(lab, Uint8Array.from([...good, 0x78, 1]))).toBe('reject')
    // A fresh proposal by who is not in turn.
    expect(await gossip(lab, lab.newBlock(lab.build(1), 0))).toBe('reject')
    const badSeal = { ...block, blockBytes: broken(block.blockBytes) }
    expect(await gossip(lab, lab.newBlock(badSeal))).toBe('reject')
    // A valid round that is no earlier one.
    expect(await gossip(lab, lab.newBlock(block, 0, 0))).toBe('reject')
    const huge = { ...block, blockBytes: new Uint8Array(lab.network.genesis.params.maxBlockBytes + 1) }
    expect(await gossip(lab, lab.newBlock(huge))).toBe('reject')
    expect(await gossip(lab, good)).toBe('accept')
  })

  it('with deeper faults are ignored, and are evidence against their proposer', async () => {
    const lab = await Lab.start()
    expect(await gossip(lab, lab.newBlock(await withBadEvent(lab)))).toBe('ignore')
    await waitFor(async () => expect(await lab.node.ledger.evidence()).toHaveLength(1), PATIENCE)
    const [evidence] = await lab.node.ledger.evidence()
    expect(evidence).toMatchObject({ kind: 'invalid-proposal', height: 1 })
    expect(evidence?.description).toMatch(/^v1 proposed the invalid block [0-9a-f]{64} at height 1, round 0: EVENT_/)
    expect(lab.node.driver.pending()).toBeUndefined()
  })

  it('at most two of one round are forwarded, and the second is evidence', async () => {
    const lab = await Lab.start()
    const now = Date.now()
    const [a, b, c] = [0, 1, 2].map((i) => lab.newBlock(lab.build(0, [], now + i)))
    expect(await gossip(lab, a!)).toBe('accept')
    expect(await gossip(lab, b!)).toBe('accept')
    expect(await gossip(lab, c!)).toBe('ignore')
    await waitFor(async () => expect(await lab.node.ledger.evidence()).toHaveLength(1), PATIENCE)
    expect((await lab.node.ledger.evidence())[0]).toMatchObject({ kind: 'proposals', parts: { length: 2 } })
  })

  it('early and stale ones are ignored', async () => {
    const lab = await Lab.start()
    expect(await gossip(lab, lab.newBlock(lab.build(2), 2))).toBe('ignore')
    expect(await gossip(lab, lab.newBlock(lab.build(1), 1))).toBe('accept')
    const old = lab.newBlock(lab.build())
    await lab.node.gossip('finalized', lab.finalized(lab.build()))
    expect([await gossip(lab, broken(old)), await gossip(lab, old)]).toEqual(['reject', 'ignore'])
  })

  it('a proposal of the next height waits for it', async () => {
    const lab = await Lab.start()
    const other = lab.network.add()
    await other.start()
    const first = lab.finalized(lab.build())
    await other.gossip('finalized', first)
    const proposer = lab.network.genesis.validators.proposer(2, 0)
    const second = other.ledger.buildBlock({ timestamp: Date.now(), proposer: lab.keys[proposer]!, events: [] })
    await other.stop()
    expect(await gossip(lab, lab.newBlock(second))).toBe('accept')
    expect(await gossip(lab, lab.newBlock(second))).toBe('ignore')
    expect(lab.node.driver.pending()).toBeUndefined()
    await lab.node.gossip('finalized', first)
    await waitFor(() => expect(lab.node.driver.pending()).toMatchObject({ height: 2, round: 0 }), PATIENCE)
  })
})

describe('finalized blocks', () => {
  const gossip = (lab: Lab, payload: Uint8Array) => lab.node.gossip('finalized', payload)

  it('only the one form of a message is a final block: what others would reject is not passed on', async () => {
    const lab = await Lab.start()
    const message = lab.finalized(lab.build())
    await gossip(lab, message)
    const junk = Uint8Array.of(...message, 0x7a, 0x03, 9, 9, 9)
    const twice = Uint8Array.of(...message, ...message)
    expect([await gossip(lab, junk), await gossip(lab, twice)]).toEqual(['reject', 'reject'])
    const other = await Lab.start()
    expect(await gossip(other, Uint8Array.of(...other.finalized(other.build()), 0x7a, 0x03, 9, 9, 9))).toBe('reject')
  })

  it('the next one is applied and forwarded, a second time it is ignored', async () => {
    const lab = await Lab.start()
    const message = lab.finalized(lab.build(0, [lab.network.event()]))
    expect(await gossip(lab, message)).toBe('accept')
    expect(lab.node.tip.height).toBe(1)
    expect(await gossip(lab, message)).toBe('ignore')
  })

  it('one that was decided here by votes is forwarded once, whatever its commit', async () => {
    const lab = await Lab.start()
    const block = lab.build(0, [lab.network.event()])
    await lab.node.gossip('block', lab.newBlock(block))
    for (const validator of [0, 1, 2]) await lab.node.gossip('vote', lab.prevote(validator, block))
    for (const validator of [0, 1, 2]) {
      await lab.node.gossip('vote', encodeVote(lab.vote(VoteType.PRECOMMIT, validator, block)))
    }
    await waitFor(() => expect(lab.node.tip.height).toBe(1), PATIENCE)
    const message = lab.finalized(block)
    expect(await gossip(lab, broken(message))).toBe('reject')
    expect(await gossip(lab, message)).toBe('accept')
    const { block: bytes, commit } = splitFinalized(message)
    const { signatures, ...rest } = decodeCommit(commit)
    const precommit = lab.vote(VoteType.PRECOMMIT, 3, block, 0, 1)
    const all = [...signatures.slice(0, 3), { validator: precommit.validator, signature: precommit.signature }]
    expect(await gossip(lab, joinFinalized(bytes, encodeCommit({ ...rest, signatures: all })))).toBe('ignore')
    expect(await gossip(lab, message)).toBe('ignore')
    expect(await gossip(lab, broken(message))).toBe('reject')
  })

  it('are rejected without a certificate', async () => {
    const lab = await Lab.start()
    const block = lab.build()
    const good = lab.finalized(block)
    const { commit } = splitFinalized(lab.finalized(lab.build(0, [lab.network.event()])))
    expect(await gossip(lab, new Uint8Array([1]))).toBe('reject')
    expect(await gossip(lab, broken(good))).toBe('reject')
    expect(await gossip(lab, joinFinalized(block.blockBytes, commit))).toBe('reject')
    expect(await gossip(lab, joinFinalized(block.blockBytes, new Uint8Array(0)))).toBe('reject')
    expect(lab.node.tip.height).toBe(0)
  })

  it('above the next height they say that we are behind, if they are certified', async () => {
    const lab = await Lab.start()
    const blocks: Uint8Array[] = []
    const other = await lab.network.add()
    await other.start()
    for (let i = 0; i < 3; i++) {
      const proposer = lab.network.genesis.validators.proposer(other.ledger.tip.height + 1, 0)
      const built = other.ledger.buildBlock({ timestamp: Date.now(), proposer: lab.keys[proposer]!, events: [] })
      blocks.push(lab.finalized(built))
      await other.gossip('finalized', blocks[i]!)
    }
    await other.stop()
    const behind = vi.fn()
    lab.node.driver.on('behind', behind)
    expect(await lab.node.gossip('finalized', broken(blocks[2]!), 'liar')).toBe('reject')
    expect(behind).not.toHaveBeenCalled()
    expect(await lab.node.gossip('finalized', blocks[2]!, 'friend')).toBe('ignore')
    expect(behind).toHaveBeenCalledWith({ height: 3, peer: 'friend' })
  })
})

it('while paused everything but news of how far others are is ignored', async () => {
  const lab = await Lab.start()
  const block = lab.build()
  lab.node.driver.pause()
  expect(await lab.node.gossip('vote', lab.prevote(0, undefined))).toBe('ignore')
  expect(await lab.node.gossip('block', lab.newBlock(block))).toBe('ignore')
  expect(await lab.node.gossip('block', broken(lab.newBlock(block)))).toBe('reject')
  expect(await lab.node.gossip('finalized', broken(lab.finalized(block)))).toBe('reject')
  const behind = vi.fn()
  lab.node.driver.on('behind', behind)
  expect(await lab.node.gossip('finalized', lab.finalized(block))).toBe('ignore')
  expect(behind).toHaveBeenCalledWith({ height: 1, peer: 'someone' })
})
