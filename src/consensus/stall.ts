/** Says what a chain that does not grow is waiting for: the height, the round, and who is missing. Pure. */
import type { ValidatorSet } from '../chain/validators.ts'
import { VoteType } from '../codec/generated/chain.ts'
import type { Machine } from './machine.ts'

/** A stalled chain says so this often: 3 lines a minute, which leaves room for others among 6. */
export const STALL_REPORT_MS = 20_000

export interface StallReport {
  readonly height: number
  readonly round: number
  readonly step: string
  /** Votes of the kind that is waited for. */
  readonly votes: number
  readonly needed: number
  /** Names of the validators that have not voted so. */
  readonly missing: readonly string[]
}

export function stallReport(machine: Machine, validators: ValidatorSet): StallReport {
  const { height, round, step } = machine
  const type = step === 'precommit' ? VoteType.PRECOMMIT : VoteType.PREVOTE
  const tally = machine.book.votes.tally(type, round)
  const missing = validators.names.filter((_, index) => tally.slot(index).length === 0)
  return { height, round, step, votes: tally.voters, needed: validators.quorum, missing }
}

export function describeStall({ height, round, step, votes, needed, missing }: StallReport, seconds: number): string {
  const kind = step === 'precommit' ? 'precommits' : 'prevotes'
  const who = missing.length === 0 ? 'nobody is missing' : `missing: ${missing.join(', ')}`
  return `no block at height ${height} for ${seconds} s: round ${round}, ${votes} ${kind} of ${needed} needed, ${who}`
}
