/**
 * The votes of one height (protocol §8): all those of rounds up to r+1, and beyond that of each validator its highest
 * round's alone, so that a validator can fill no more than a few slots however many rounds it signs.
 */
import { VoteType } from '../codec/generated/chain.ts'
import type { HeldVote, Slot } from './types.ts'
import { NIL } from './types.ts'

/** Votes for rounds further ahead are nobody's that follows the rules: they could only fill memory. */
export const MAX_ROUNDS_AHEAD = 1000
/** Rounds beyond the current one of which every vote is kept: who is a little ahead is normal. */
export const ROUNDS_KEPT_AHEAD = 1
/**
 * Votes kept of one validator for one round and type, when nothing else asks for more: an equivocator could otherwise
 * sign any number. The second is evidence.
 */
export const VOTES_PER_SLOT = 2

/** Votes of one round and type. */
export class Tally {
  readonly #slots: (HeldVote[] | undefined)[] = []
  readonly #byHash = new Map<string, Set<number>>()
  #voters = 0

  /** Distinct validators that voted, whatever for. */
  get voters(): number {
    return this.#voters
  }

  /** Distinct validators that voted for `hash`. An equivocator counts for each hash that it signed. */
  count(hash: string): number {
    return this.#byHash.get(hash)?.size ?? 0
  }

  /**
   * The blocks with at least `quorum` votes. There is one at most unless more than f validators break the rules; but then
   * one that nobody can have must not hide another.
   */
  quorumBlocks(quorum: number): string[] {
    return [...this.#byHash].flatMap(([hash, voters]) => (hash !== NIL && voters.size >= quorum ? [hash] : []))
  }

  /** Those with any votes. */
  blocks(): string[] {
    return this.quorumBlocks(1)
  }

  slot(validator: number): readonly HeldVote[] {
    return this.#slots[validator] ?? []
  }

  /** In genesis order. */
  votesFor(hash: string): HeldVote[] {
    return this.all().filter((held) => held.hash === hash)
  }

  /** In genesis order. */
  all(): HeldVote[] {
    return this.#slots.flatMap((slot) => slot ?? [])
  }

  add(held: HeldVote): void {
    let slot = this.#slots[held.validator]
    if (slot === undefined) {
      slot = []
      this.#slots[held.validator] = slot
      this.#voters += 1
    }
    slot.push(held)
    let voters = this.#byHash.get(held.hash)
    if (voters === undefined) {
      voters = new Set()
      this.#byHash.set(held.hash, voters)
    }
    voters.add(held.validator)
  }
}

const EMPTY = new Tally()

class RoundVotes {
  readonly prevotes = new Tally()
  readonly precommits = new Tally()
}

export class VoteBook {
  readonly #size: number
  #round = 0
  readonly #rounds = new Map<number, RoundVotes>()
  /** Beyond r+1: one round's votes of each validator. */
  readonly #far: (HeldVote[] | undefined)[] = []
  /** The highest round that each validator signed anything in; −1 = none. */
  readonly #highest: number[]

  constructor(size: number) {
    this.#size = size
    this.#highest = new Array<number>(size).fill(-1)
  }

  tally(type: VoteType, round: number): Tally {
    const votes = this.#rounds.get(round)
    if (votes === undefined) return EMPTY
    return type === VoteType.PREVOTE ? votes.prevotes : votes.precommits
  }

  /** Rounds of which votes are held in full, ascending. */
  rounds(): number[] {
    return [...this.#rounds.keys()].sort((a, b) => a - b)
  }

  /** The blocks with `quorum` precommits of one round, whichever rounds those are, lowest first. */
  precommitted(quorum: number): { hash: string; round: number }[] {
    return this.rounds().flatMap((round) =>
      this.tally(VoteType.PRECOMMIT, round)
        .quorumBlocks(quorum)
        .map((hash) => ({ hash, round }))
    )
  }

  /** Whether a block has `count` precommits of one round. */
  precommittedBy(hash: string, count: number): boolean {
    for (const votes of this.#rounds.values()) {
      if (votes.precommits.count(hash) >= count) return true
    }
    return false
  }

  /** Validators that have signed in a later round. */
  signersAbove(round: number): number[] {
    return this.#highest.flatMap((highest, validator) => (highest > round ? [validator] : []))
  }

  highestRound(validator: number): number {
    return this.#highest[validator] ?? -1
  }

  /** The votes held of a validator's highest round, if that is above `round`. */
  latestAbove(validator: number, round: number): HeldVote[] {
    const far = this.#far[validator]
    if (far?.[0] !== undefined && far[0].round > round) return [...far]
    for (const at of this.rounds().reverse()) {
      if (at <= round) return []
      const votes = [
        ...this.tally(VoteType.PREVOTE, at).slot(validator),
        ...this.tally(VoteType.PRECOMMIT, at).slot(validator)
      ]
      if (votes.length > 0) return votes
    }
    return []
  }

  /**
   * The votes by which a validator gets into `round`: a quorum's precommits of the round before if they are held, else
   * one vote of each validator that signed in it or above.
   */
  leadingTo(round: number, quorum: number): HeldVote[] {
    if (round === 0) return []
    const before = this.tally(VoteType.PRECOMMIT, round - 1)
    const perValidator = Array.from({ length: this.#size }, (_, validator) =>
      before.voters >= quorum ? before.slot(validator)[0] : this.latestAbove(validator, round - 1)[0]
    )
    return perValidator.filter((held) => held !== undefined)
  }

  /** @param wanted whether a block of that hash was proposed, so that votes for it matter beyond being evidence */
  classify(vote: Pick<HeldVote, 'type' | 'round' | 'validator' | 'hash'>, wanted: (hash: string) => boolean): Slot {
    if (vote.round > this.#round + MAX_ROUNDS_AHEAD) return 'early'
    if (vote.round > this.#round + ROUNDS_KEPT_AHEAD) {
      const far = this.#far[vote.validator]
      const farRound = far?.[0]?.round ?? -1
      if (vote.round < farRound) return 'stale'
      if (far === undefined || vote.round > farRound) return 'new'
      return classifyIn(
        far.filter((held) => held.type === vote.type),
        vote.hash,
        wanted
      )
    }
    return classifyIn(this.tally(vote.type, vote.round).slot(vote.validator), vote.hash, wanted)
  }

  /** Adds a vote that `classify` called new or a conflict. */
  add(held: HeldVote): void {
    this.signedIn(held.validator, held.round)
    if (held.round > this.#round + ROUNDS_KEPT_AHEAD) {
      const far = this.#far[held.validator]
      if (far?.[0] !== undefined && far[0].round === held.round) far.push(held)
      else this.#far[held.validator] = [held]
      return
    }
    let votes = this.#rounds.get(held.round)
    if (votes === undefined) {
      votes = new RoundVotes()
      this.#rounds.set(held.round, votes)
    }
    if (held.type === VoteType.PREVOTE) votes.prevotes.add(held)
    else votes.precommits.add(held)
  }

  /** A validator signed something (a proposal, say) in a round. */
  signedIn(validator: number, round: number): void {
    if (round > this.highestRound(validator)) this.#highest[validator] = round
  }

  /** The current round became `round`: what was far may now be near. */
  advance(round: number): void {
    this.#round = round
    for (let validator = 0; validator < this.#size; validator++) {
      const far = this.#far[validator]
      if (far?.[0] === undefined || far[0].round > round + ROUNDS_KEPT_AHEAD) continue
      this.#far[validator] = undefined
      for (const held of far) this.add(held)
    }
  }

  /** The largest round such that at least `count` validators have signed in it or above; −1 if there is none. */
  roundSignedBy(count: number): number {
    const sorted = [...this.#highest].sort((a, b) => b - a)
    return sorted[count - 1] ?? -1
  }
}

function classifyIn(slot: readonly HeldVote[], hash: string, wanted: (hash: string) => boolean): Slot {
  if (slot.length === 0) return 'new'
  if (slot.some((held) => held.hash === hash)) return 'known'
  if (slot.length < VOTES_PER_SLOT || wanted(hash)) return 'conflict'
  return 'surplus'
}
