/**
 * What one height has heard: votes, proposals and what is known of blocks. It takes whatever is handed in, in any
 * order, finds equivocations, and answers the questions that the rules of machine.ts ask.
 */
import { VoteType } from '../codec/generated/chain.ts'
import { ProposalBook } from './proposals.ts'
import type {
  Accusation,
  BlockFacts,
  HeldProposal,
  HeldVote,
  Lack,
  PendingView,
  Pledge,
  ProvenPledge
} from './types.ts'
import { VoteBook } from './votes.ts'

export class HeightBook {
  readonly votes: VoteBook
  readonly proposals = new ProposalBook()
  readonly quorum: number
  readonly #faulty: number
  readonly #proposer: (round: number) => number
  /** Undefined: held, and what it is worth is not known yet. */
  readonly #blocks = new Map<string, BlockFacts | undefined>()
  /** Evidence is kept once for each validator and type. */
  readonly #accused = new Set<string>()

  constructor(validators: { size: number; quorum: number; faulty: number }, proposer: (round: number) => number) {
    this.votes = new VoteBook(validators.size)
    this.quorum = validators.quorum
    this.#faulty = validators.faulty
    this.#proposer = proposer
  }

  block(hash: string): BlockFacts | undefined {
    return this.#blocks.get(hash)
  }

  addBlock(block: BlockFacts): void {
    this.#blocks.set(block.hash, block)
  }

  /** Whether there is nothing to fetch. */
  holds(hash: string): boolean {
    return this.#blocks.has(hash)
  }

  /** A block is held that is not known yet. */
  hold(hash: string): void {
    if (!this.#blocks.has(hash)) this.#blocks.set(hash, undefined)
  }

  /** It is held no more, and nothing became known of it. */
  lose(hash: string): void {
    if (this.#blocks.get(hash) === undefined) this.#blocks.delete(hash)
  }

  addVote(vote: HeldVote): Accusation | undefined {
    const slot = this.votes.classify(vote, (hash) => this.isWanted(hash))
    const accusation = slot === 'conflict' ? this.#accuseVoter(vote) : undefined
    if (slot === 'new' || slot === 'conflict') this.votes.add(vote)
    return accusation
  }

  addProposal(proposal: HeldProposal): Accusation | undefined {
    // Its proposer breaks the rules; the round goes on without it.
    if (proposal.validRound >= proposal.round) return undefined
    const slot = this.proposals.classify(proposal)
    if (slot !== 'new' && slot !== 'conflict') return undefined
    const validator = this.#proposer(proposal.round)
    const first = this.proposals.get(proposal.round)
    this.proposals.add(proposal)
    this.votes.signedIn(validator, proposal.round)
    if (first === undefined || !this.#accuse(`${validator}/PROPOSAL`)) return undefined
    return { kind: 'proposals', validator, first: first.proposal, second: proposal.proposal }
  }

  /** The current round became `round`. Returns the blocks that this height can no longer need. */
  advance(round: number, isPledged: (hash: string) => boolean): string[] {
    this.votes.advance(round)
    return this.proposals.advance(round).filter((hash) => {
      if (isPledged(hash)) return false
      // An honest validator precommitted it: it may yet be decided.
      if (this.votes.precommittedBy(hash, this.#faulty + 1)) return false
      return this.#blocks.delete(hash)
    })
  }

  /** Whether votes for that hash matter beyond being evidence: a block of it was proposed or is held. */
  isWanted(hash: string): boolean {
    return this.proposals.has(hash) || this.holds(hash)
  }

  hasPolka(round: number, hash: string): boolean {
    return this.votes.tally(VoteType.PREVOTE, round).count(hash) >= this.quorum
  }

  /** q prevotes of that round for the hash; there are as many. */
  proof(hash: string, round: number): ProvenPledge {
    const held = this.votes.tally(VoteType.PREVOTE, round).votesFor(hash).slice(0, this.quorum)
    return { hash, round, prevotes: held.map((one) => one.vote) }
  }

  /** The latest value with q prevotes in a round above `after` and below `round` that is held and valid. */
  polkaBetween(after: number, round: number): Pledge | undefined {
    for (const at of this.#between(after, round)) {
      const hashes = this.votes.tally(VoteType.PREVOTE, at).quorumBlocks(this.quorum)
      const hash = hashes.find((one) => this.block(one)?.valid === true)
      if (hash !== undefined) return { hash, round: at }
    }
    return undefined
  }

  /**
   * What others may hold that the round needs.
   * @param after round of the valid value; −1: there is none
   */
  lack(round: number, after: number): Lack {
    const blocks = this.unknown(round).filter((hash) => !this.holds(hash))
    const proposal = this.proposals.get(round)
    if (proposal !== undefined && proposal.validRound >= 0 && !this.hasPolka(proposal.validRound, proposal.hash)) {
      return { round, blocks, polkas: [{ round: proposal.validRound, hash: proposal.hash }] }
    }
    return { round, blocks, polkas: this.#unproven(after, round) }
  }

  /** What was precommitted in a round above `after` and below `round` without its prevotes being here, the latest first. */
  #unproven(after: number, round: number): Pledge[] {
    return this.#between(after, round).flatMap((at) =>
      this.votes
        .tally(VoteType.PRECOMMIT, at)
        .blocks()
        .filter((hash) => !this.hasPolka(at, hash))
        .map((hash) => ({ round: at, hash }))
    )
  }

  #between(after: number, round: number): number[] {
    return this.votes
      .rounds()
      .filter((at) => at > after && at < round)
      .reverse()
  }

  /**
   * The blocks of which it is not known what they are worth, held or not, and which q precommits of any round name, or q
   * prevotes of `round`, or its proposal; in that order.
   */
  unknown(round: number): string[] {
    const proposed = this.proposals.get(round)
    const named = new Set([
      ...this.votes.precommitted(this.quorum).map(({ hash }) => hash),
      ...this.votes.tally(VoteType.PREVOTE, round).quorumBlocks(this.quorum),
      ...(proposed === undefined ? [] : [proposed.hash])
    ])
    return [...named].filter((hash) => this.block(hash) === undefined)
  }

  /** Of the valid blocks proposed: the one with most precommits in one round, of several the one proposed last. */
  pending(): PendingView | undefined {
    const precommits = this.votes.rounds().map((round) => this.votes.tally(VoteType.PRECOMMIT, round))
    let best: PendingView | undefined
    for (const { hash, round } of this.proposals.all()) {
      if (this.#blocks.get(hash)?.valid !== true) continue
      const signatures = precommits.reduce((most, tally) => Math.max(most, tally.count(hash)), 0)
      if (best === undefined || signatures >= best.signatures) best = { hash, round, signatures }
    }
    return best
  }

  #accuseVoter(second: HeldVote): Accusation | undefined {
    const { type, round, validator, hash } = second
    const held = [...this.votes.tally(type, round).slot(validator), ...this.votes.latestAbove(validator, round - 1)]
    const first = held.find((one) => one.type === type && one.round === round && one.hash !== hash)
    if (first === undefined || !this.#accuse(`${validator}/${type}`)) return undefined
    return { kind: 'votes', validator, first: first.vote, second: second.vote }
  }

  /** Whether it is the first accusation of its kind. */
  #accuse(key: string): boolean {
    if (this.#accused.has(key)) return false
    this.#accused.add(key)
    return true
  }
}
