/**
 * What the chain waits for at this node: one union, found from the state of the height that is being decided. Pure. Log,
 * status and readiness show the same (waiting-words.ts).
 */
import type { ValidatorSet } from '../chain/validators.ts'
import { VoteType } from '../codec/generated/chain.ts'
import type { Abstention } from './abstention.ts'
import type { Machine } from './machine.ts'

/** A validator that is waited for. */
export interface Absent {
  readonly validator: string
  /** What this node knows of the reason; `silent`: it is connected, or signs in this height, and has not done this. */
  readonly why: 'unconnected' | 'silent' | 'self'
}

export type Waiting =
  /** The chain has not begun. `until` in Unix ms. */
  | { readonly for: 'genesis-time'; readonly until: number }
  /** Blocks come by range sync. */
  | { readonly for: 'sync' }
  /** This node takes no part in deciding: it waits for what validators make final. */
  | { readonly for: 'others' }
  /** Nothing is late: the proposer waits for an event, or for its time. */
  | { readonly for: 'turn'; readonly proposer: string; readonly own: boolean }
  /** Fewer than a quorum of validators take part, as far as this node knows. */
  | {
      readonly for: 'validators'
      readonly here: number
      readonly needed: number
      readonly missing: readonly Absent[]
    }
  | { readonly for: 'proposal'; readonly round: number; readonly proposer: string; readonly own: boolean }
  /** One that a proposal or a quorum of votes names; `held`: it is being checked. */
  | { readonly for: 'block'; readonly round: number; readonly held: boolean }
  /** The prevotes that a proposal made again rests on. */
  | { readonly for: 'old-prevotes'; readonly round: number; readonly have: number; readonly needed: number }
  | {
      readonly for: 'votes'
      readonly round: number
      readonly type: 'prevotes' | 'precommits'
      readonly have: number
      readonly needed: number
      readonly missing: readonly Absent[]
    }
  /** A quorum has voted, and not for one thing: a time-out brings the next round. */
  | { readonly for: 'next-round'; readonly round: number }
  /** A decided block, on its way to the disk. */
  | { readonly for: 'disk' }
  /** Consensus has ended at this node. */
  | { readonly for: 'restart'; readonly reason: string }

/** The height that is being decided. */
export interface HeightState {
  readonly machine: Pick<Machine, 'round' | 'step' | 'decided' | 'book'>
  readonly height: number
  /** Round 0 before its moment. */
  readonly isWaiting: boolean
  /** Whether the bytes of a block are held. */
  readonly holds: (hash: string) => boolean
}

export interface Surroundings {
  readonly validators: ValidatorSet
  /** Own index; −1 for an observer. */
  readonly self: number
  readonly abstention: Abstention | undefined
  /** Indexes of validators that are connected and have proven their key. */
  readonly connected: ReadonlySet<number>
}

export function waitingAt(state: HeightState, around: Surroundings): Waiting {
  const { machine, height } = state
  const { book, round, step } = machine
  const { validators, self } = around
  if (machine.decided) return { for: 'disk' }
  const proposer = validators.proposer(height, round)
  const turn = { proposer: validators.names[proposer] as string, own: proposer === self }
  if (state.isWaiting) return { for: 'turn', ...turn }

  const missing = absentees(state, around, (index) => takesPart(state, around, index))
  const here = validators.size - missing.length
  if (here < validators.quorum) return { for: 'validators', here, needed: validators.quorum, missing }

  const [unknown] = book.unknown(round)
  if (unknown !== undefined) return { for: 'block', round, held: state.holds(unknown) }
  const proposal = book.proposals.get(round)
  if (step === 'propose' && proposal === undefined) return { for: 'proposal', round, ...turn }
  if (step === 'propose' && proposal !== undefined && proposal.validRound >= 0) {
    const have = book.votes.tally(VoteType.PREVOTE, proposal.validRound).count(proposal.hash)
    if (have < validators.quorum) {
      return { for: 'old-prevotes', round: proposal.validRound, have, needed: validators.quorum }
    }
  }
  return votesAt(state, around)
}

function votesAt(state: HeightState, around: Surroundings): Waiting {
  const { book, round, step } = state.machine
  const { quorum } = around.validators
  const type = step === 'precommit' ? VoteType.PRECOMMIT : VoteType.PREVOTE
  const tally = book.votes.tally(type, round)
  if (tally.voters >= quorum) return { for: 'next-round', round }
  return {
    for: 'votes',
    round,
    type: step === 'precommit' ? 'precommits' : 'prevotes',
    have: tally.voters,
    needed: quorum,
    missing: absentees(state, around, (index) => tally.slot(index).length > 0)
  }
}

/** Whether a validator's votes can be hoped for: it is connected, or has signed of late; we do unless we abstain. */
function takesPart({ machine }: HeightState, { self, abstention, connected }: Surroundings, index: number): boolean {
  if (index === self) return abstention === undefined
  return connected.has(index) || machine.book.votes.highestRound(index) >= Math.max(0, machine.round - 1)
}

function absentees(state: HeightState, around: Surroundings, isThere: (index: number) => boolean): Absent[] {
  const { validators, self } = around
  return validators.names.flatMap((validator, index): Absent[] => {
    if (isThere(index)) return []
    if (index === self) return [{ validator, why: 'self' }]
    return [{ validator, why: takesPart(state, around, index) ? 'silent' : 'unconnected' }]
  })
}
