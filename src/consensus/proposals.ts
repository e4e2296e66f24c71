/** The proposals of one height: of each round the first, which is the one voted on, and one more if there is one. */
import type { HeldProposal, Slot } from './types.ts'

/** Proposals of rounds this far back are of no use any more: a block that matters is found by its hash. */
export const PROPOSAL_ROUNDS_KEPT = 8
/** Who is a little ahead is normal; beyond that only votes are kept, and the proposal is asked for on arrival. */
export const PROPOSAL_ROUNDS_AHEAD = 1
/** The second is evidence against the proposer; more would be its choice of how much of our memory to fill. */
export const PROPOSALS_PER_ROUND = 2

export class ProposalBook {
  #round = 0
  readonly #rounds = new Map<number, HeldProposal[]>()
  /** Hashes of all proposals held. */
  readonly #hashes = new Set<string>()

  /** The one that counts in that round. */
  get(round: number): HeldProposal | undefined {
    return this.#rounds.get(round)?.[0]
  }

  has(hash: string): boolean {
    return this.#hashes.has(hash)
  }

  /** All that are held, by round. */
  all(): HeldProposal[] {
    return [...this.#rounds.values()].flat().sort((a, b) => a.round - b.round)
  }

  classify(proposal: Pick<HeldProposal, 'round' | 'validRound' | 'hash'>): Slot {
    if (proposal.round > this.#round + PROPOSAL_ROUNDS_AHEAD) return 'early'
    if (proposal.round < this.#round - PROPOSAL_ROUNDS_KEPT) return 'stale'
    const held = this.#rounds.get(proposal.round)
    if (held === undefined) return 'new'
    if (held.some((one) => one.hash === proposal.hash && one.validRound === proposal.validRound)) return 'known'
    return held.length < PROPOSALS_PER_ROUND ? 'conflict' : 'surplus'
  }

  /** Adds a proposal that `classify` called new or a conflict. */
  add(proposal: HeldProposal): void {
    const held = this.#rounds.get(proposal.round)
    if (held === undefined) this.#rounds.set(proposal.round, [proposal])
    else held.push(proposal)
    this.#hashes.add(proposal.hash)
  }

  /** The current round became `round`. Returns the hashes that no proposal held names any more. */
  advance(round: number): string[] {
    this.#round = round
    const dropped = new Set<string>()
    for (const [at, proposals] of this.#rounds) {
      if (at >= round - PROPOSAL_ROUNDS_KEPT) continue
      this.#rounds.delete(at)
      for (const proposal of proposals) dropped.add(proposal.hash)
    }
    for (const proposal of this.all()) dropped.delete(proposal.hash)
    for (const hash of dropped) this.#hashes.delete(hash)
    return [...dropped]
  }
}
