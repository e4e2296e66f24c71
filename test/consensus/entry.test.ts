/**
 * What led into a round is kept with what is signed there: votes alone, though a proposal counts as its proposer's signature
 * too (rule 9). Nobody is alone in a round for that: of those that led into it at most one is known by its proposal alone,
 * since proposals are taken no further than one round ahead, and our own signature stands in its place.
 */
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { decodeVote, VoteType } from '../../src/chain/vote.ts'
import { toHex } from '../../src/codec/bytes.ts'
import type { HeldVote } from '../../src/consensus/types.ts'
import { NIL } from '../../src/consensus/types.ts'
import { runs } from '../support/runs.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'
import { A, Bench, proposal, vote } from './support/messages.ts'

vi.setConfig({ testTimeout: 60_000 })

/** The round into which a validator gets that knows nothing but these votes, when the timeouts have passed that they start. */
function ledInto(votes: readonly HeldVote[], size: number): number {
  const bench = new Bench({ size, self: -1 })
  bench.votes(...votes)
  for (let due = bench.of('schedule'); due.some(({ kind }) => kind === 'precommit'); due = bench.of('schedule')) {
    bench.timeout('precommit', bench.machine.round)
  }
  return bench.machine.round
}

const size = fc.constantFrom(1, 4, 7, 10)
const validator = fc.nat(9)
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('vote' as const),
      voteType: fc.constantFrom(VoteType.PREVOTE, VoteType.PRECOMMIT),
      ahead: fc.constantFrom(0, 0, 1, 1, 2, 5),
      validator,
      hash: fc.constantFrom(NIL, A)
    })
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('proposal' as const), ahead: fc.constantFrom(0, 1, 2) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('timeout' as const),
      kind: fc.constantFrom('propose' as const, 'precommit' as const)
    })
  }
)

it('what is signed in a round leads others into it, with what is kept of how we got there', () => {
  let byProposal = 0
  fc.assert(
    fc.property(size, validator, fc.array(step, { minLength: 5, maxLength: 40 }), (size, index, steps) => {
      const self = index % size
      const bench = new Bench({ size, self })
      const armed = new Set<string>()
      const arm = (): void => {
        for (const { kind, round } of bench.of('schedule')) armed.add(`${kind} ${round}`)
      }
      arm()
      const { faulty } = bench.validators
      for (const step of steps) {
        const { round } = bench.machine
        if (step.type === 'timeout') {
          if (armed.has(`${step.kind} ${round}`)) bench.timeout(step.kind, round)
          else continue
        } else if (step.type === 'proposal') bench.propose(proposal(round + step.ahead, A))
        else if (step.validator % size !== self) {
          bench.votes(vote(step.voteType, round + step.ahead, step.validator % size, step.hash))
        } else continue
        arm()
        for (let signs = bench.of('sign'); signs.length > 0; signs = bench.of('sign')) {
          const ours = signs.map(({ vote: own }) => vote(own.type, own.round, self, own.hash))
          for (const [i, { entry }] of signs.entries()) {
            const mine = ours[i] as HeldVote
            const kept = entry.map(({ type, round, blockHash, validator }) =>
              vote(type, round, bench.validators.indexOf(validator), toHex(blockHash))
            )
            if (mine.round > 0 && faulty > 0 && kept.length === faulty) byProposal++
            expect(ledInto([...kept, mine], size)).toBeGreaterThanOrEqual(mine.round)
          }
          // They come back to it.
          bench.votes(...ours)
          arm()
        }
        if (bench.machine.decided) return
      }
    }),
    runs(500)
  )
  expect(byProposal).toBeGreaterThan(0)
})

it('after a restart a validator shows so many that any other gets into its round', async () => {
  const lab = await Lab.start({ self: 0 })
  const { node } = lab
  // By proposer(1, 1), which is heard of no more, and a vote of one other.
  const block = lab.build(1)
  await node.gossip('block', lab.newBlock(block, 1))
  await node.gossip('vote', lab.prevote(3, block, 1))
  const own = () => node.published.filter(({ topic }) => topic === 'vote').map(({ payload }) => decodeVote(payload))
  await waitFor(() => expect(own()).toMatchObject([{ type: VoteType.PREVOTE, round: 1 }]))
  await node.stop()
  await node.start()
  await waitFor(() => expect(node.driver.position?.round).toBe(1))
  const { votes } = await node.driver.readVotes({ height: 1, round: 0, blockHash: new Uint8Array(0), have: [] })
  const shown = votes.map(decodeVote).filter(({ round }) => round === 1)
  expect(shown.map(({ validator }) => lab.network.genesis.validators.indexOf(validator)).sort()).toEqual([0, 3])
})
