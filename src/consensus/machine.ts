/**
 * The round machine of one height: Tendermint (arXiv 1807.04938) as protocol §8 has it, rule by rule. Pure: events in,
 * actions out. It reads no clock (`now` comes with each event), does no I/O and has no randomness, so that a schedule
 * of events always gives the same actions. It does not check signatures; what it is given was checked.
 *
 * The votes that led into a round are kept with what is signed in it. Who enters a round by a faulty validator's vote,
 * signs there, restarts and has forgotten that vote could else be alone in the round for ever: the others lack the vote,
 * and the faulty validator need not repeat it. A proposal that led there needs not be kept: of the f+1 that had signed in the
 * round one at most is known by its proposal alone, for these are taken one round ahead and no further, and what we sign
 * is one signature more.
 *
 * An observer runs it too, with `self` −1: it goes through the same steps and is never asked to sign or propose.
 */
import { type Vote, VoteType } from '../codec/generated/chain.ts'
import { Asking } from './asking.ts'
import { type Timing, timingOf } from './block-time.ts'
import { HeightBook } from './book.ts'
import { Pledges } from './pledges.ts'
import type {
  Accusation,
  Action,
  AskReason,
  BlockFacts,
  Input,
  Lack,
  Pledge,
  ProvenPledge,
  Restored,
  Step,
  TimeoutKind
} from './types.ts'
import { NIL } from './types.ts'

export interface MachineConfig {
  readonly height: number
  /** n, q = ⌊2n/3⌋+1 and f = ⌊(n−1)/3⌋. */
  readonly validators: { readonly size: number; readonly quorum: number; readonly faulty: number }
  /** Index of proposer(height, round). */
  readonly proposer: (round: number) => number
  /** Own index; −1 for an observer. */
  readonly self: number
  /** Unix ms of block height − 1. */
  readonly parentTimestamp: number
}

export class Machine {
  readonly height: number
  readonly book: HeightBook
  readonly #config: MachineConfig
  #started = false
  #decided = false
  #round = 0
  #step: Step = 'propose'
  readonly #pledges = new Pledges()
  /** What happens the first time only, of the current round. */
  readonly #armed = new Set<TimeoutKind>()
  #polkaSeen = false
  /** What led into the round: q precommits of the one before, or votes of f+1 validators in it or above. */
  #entry: readonly Vote[] = []
  readonly #asking = new Asking()
  /** Once a height. */
  readonly #contradictions = new Set<string>()
  #out: Action[] = []

  constructor(config: MachineConfig) {
    this.#config = config
    this.height = config.height
    this.book = new HeightBook(config.validators, config.proposer)
  }

  get round(): number {
    return this.#round
  }

  get step(): Step {
    return this.#step
  }

  get locked(): Pledge | undefined {
    return this.#pledges.locked
  }

  get valid(): Pledge | undefined {
    return this.#pledges.valid
  }

  get decided(): boolean {
    return this.#decided
  }

  /** What to ask peers for. */
  lack(): Lack {
    return this.book.lack(this.#round, this.#pledges.validRound)
  }

  /** Begins the height: at round 0, or where the signer's log says that we were. Call it once, first. */
  start(now: number, restored?: Restored): Action[] {
    if (this.#started) throw new Error('the machine has been started before')
    this.#started = true
    if (restored === undefined) this.#startRound(0)
    else this.#restore(restored)
    return this.#settle(now)
  }

  /** @param now Unix ms */
  handle(input: Input, now: number): Action[] {
    if (!this.#started) throw new Error('the machine has not been started')
    if (this.#decided) return []
    this.#take(input)
    return this.#settle(now)
  }

  #take(input: Input): void {
    switch (input.type) {
      case 'vote':
        this.#report(this.book.addVote(input.vote))
        return
      case 'proposal':
        this.#report(this.book.addProposal(input.proposal))
        return
      case 'block-held':
        this.book.hold(input.hash)
        return
      case 'block':
        this.book.addBlock(input.block)
        return
      case 'block-lost':
        this.book.lose(input.hash)
        return
      case 'timeout':
        this.#onTimeout(input.kind, input.round)
        return
      case 'ask-due':
        this.#out.push(...this.#asking.due())
        return
      case 'proposal-failed':
        if (input.round === this.#round && this.#step === 'propose') this.#prevote(NIL)
    }
  }

  #restore(restored: Restored): void {
    this.#enter(restored.round)
    this.#pledges.locked = restored.locked
    this.#pledges.valid = restored.valid
    for (const block of restored.blocks) this.book.addBlock(block)
    for (const proposal of restored.proposals) this.#report(this.book.addProposal(proposal))
    for (const vote of restored.votes) this.#report(this.book.addVote(vote))
    this.#step = restored.step
    if (restored.step !== 'propose') return
    // What an own proposal rests on may be gone, and others may never vote on it: it has its time like any other.
    if (this.book.proposals.get(restored.round) === undefined) this.#offerOrWait()
    else this.#schedule('propose')
  }

  #report(accusation: Accusation | undefined): void {
    if (accusation !== undefined) this.#out.push({ type: 'evidence', accusation })
  }

  /** Rule 10. */
  #onTimeout(kind: TimeoutKind, round: number): void {
    if (round !== this.#round) return
    if (kind === 'propose' && this.#step === 'propose') this.#prevote(NIL)
    else if (kind === 'prevote' && this.#step === 'prevote') this.#precommit(NIL, undefined)
    else if (kind === 'precommit') this.#startRound(round + 1)
  }

  /** Applies the rules until none of them has anything to say, and hands over what they asked for. */
  #settle(now: number): Action[] {
    while (!this.#decided && this.#applyOne(now)) {
      // Each rule changes the state so that it does not apply again.
    }
    if (!this.#decided) this.#askForMore()
    const out = this.#out
    this.#out = []
    return out
  }

  #applyOne(now: number): boolean {
    return (
      this.#decide() ||
      this.#skipRounds() ||
      this.#prevoteProposal(now) ||
      this.#acceptPolka() ||
      this.#learnPolka() ||
      this.#acceptNilPolka() ||
      this.#armPrevoteTimeout() ||
      this.#armPrecommitTimeout()
    )
  }

  /** Rule 1. */
  #startRound(round: number): void {
    this.#enter(round)
    this.#entry = this.book.votes.leadingTo(round, this.book.quorum).map((held) => held.vote)
    if (round > 0) this.#ask('round')
    this.#offerOrWait()
  }

  #enter(round: number): void {
    this.#round = round
    this.#step = 'propose'
    this.#armed.clear()
    this.#polkaSeen = false
    this.#asking.enter()
    for (const hash of this.book.advance(round, (hash) => this.#pledges.has(hash))) {
      this.#out.push({ type: 'forget', hash })
    }
    this.#out.push({ type: 'round', round })
  }

  #offerOrWait(): void {
    const round = this.#round
    if (this.#config.self >= 0 && this.#config.proposer(round) === this.#config.self) {
      this.#out.push({ type: 'propose', round, valid: this.#pledges.validBefore(round), entry: this.#entry })
    } else {
      this.#schedule('propose')
    }
  }

  /** Rules 2 and 3. */
  #prevoteProposal(now: number): boolean {
    if (this.#step !== 'propose') return false
    const proposal = this.book.proposals.get(this.#round)
    if (proposal === undefined) return false
    const { hash, validRound } = proposal
    const fresh = validRound < 0
    if (!fresh && !this.book.hasPolka(validRound, hash)) return false
    const block = this.#held(hash)
    if (block === undefined) return false
    const lockAllows = this.#pledges.allows(hash, validRound)
    const inTurn = !fresh || block.proposer === this.#config.proposer(this.#round)
    const timely = !fresh || this.#time(block, now) !== 'ahead'
    this.#prevote(block.valid && lockAllows && inTurn && timely ? hash : NIL)
    return true
  }

  /** Of a fresh proposal. */
  #time({ proposer, timestamp }: BlockFacts, now: number): Timing {
    const timing = timingOf(timestamp, this.#config.parentTimestamp, now)
    if (proposer !== this.#config.self) this.#out.push({ type: 'timed', proposer, timestamp, now, timing })
    return timing
  }

  /** Rule 5. The block may be another than the proposal that we hold: q votes name it. */
  #acceptPolka(): boolean {
    if (this.#step === 'propose' || this.#polkaSeen) return false
    const round = this.#round
    const prevotes = this.book.votes.tally(VoteType.PREVOTE, round)
    const hash = prevotes.quorumBlocks(this.book.quorum).find((named) => this.#heldValid(named, round))
    if (hash === undefined) return false
    this.#polkaSeen = true
    this.#pledges.valid = { hash, round }
    const keep = this.book.proof(hash, round)
    if (this.#step === 'prevote') {
      this.#pledges.locked = { hash, round }
      this.#precommit(hash, keep)
    } else {
      this.#keepValid(keep)
    }
    return true
  }

  /**
   * Rule 11. Prevotes of an earlier round that have come since: somebody may be locked by them, and takes no proposal that
   * rests on less.
   */
  #learnPolka(): boolean {
    const polka = this.book.polkaBetween(this.#pledges.validRound, this.#round)
    if (polka === undefined) return false
    this.#pledges.valid = polka
    this.#keepValid(this.book.proof(polka.hash, polka.round))
    return true
  }

  #keepValid(keep: ProvenPledge): void {
    if (this.#config.self >= 0) this.#out.push({ type: 'set-valid', keep })
  }

  /** Rule 6. A lock stays. */
  #acceptNilPolka(): boolean {
    if (this.#step !== 'prevote') return false
    if (!this.book.hasPolka(this.#round, NIL)) return false
    this.#precommit(NIL, undefined)
    return true
  }

  /** Rule 4. */
  #armPrevoteTimeout(): boolean {
    if (this.#step !== 'prevote') return false
    return this.#armWith('prevote', VoteType.PREVOTE)
  }

  /** Rule 7. */
  #armPrecommitTimeout(): boolean {
    return this.#armWith('precommit', VoteType.PRECOMMIT)
  }

  #armWith(kind: TimeoutKind, type: VoteType): boolean {
    if (this.#armed.has(kind)) return false
    if (this.book.votes.tally(type, this.#round).voters < this.book.quorum) return false
    this.#schedule(kind)
    return true
  }

  /** Rule 8. */
  #decide(): boolean {
    const named = this.book.votes.precommitted(this.book.quorum).find(({ hash, round }) => this.#heldValid(hash, round))
    if (named === undefined) return false
    const precommits = this.book.votes.tally(VoteType.PRECOMMIT, named.round).votesFor(named.hash)
    this.#decided = true
    this.#out.push({ type: 'decide', ...named, precommits: precommits.map((held) => held.vote) })
    return true
  }

  /** Rule 9. */
  #skipRounds(): boolean {
    const round = this.book.votes.roundSignedBy(this.#config.validators.faulty + 1)
    if (round <= this.#round) return false
    this.#startRound(round)
    return true
  }

  /** The block if it is held; else it is asked for. */
  #held(hash: string): BlockFacts | undefined {
    const block = this.book.block(hash)
    if (!this.book.holds(hash)) this.#ask('block', hash)
    return block
  }

  #askForMore(): void {
    // Who is ahead of us, and did not take us along, has heard what we have not.
    for (const validator of this.book.votes.signersAbove(this.#round)) this.#ask('ahead', validator)
    for (const { round, hash } of this.lack().polkas) this.#ask('polka', `${round}/${hash}`)
    this.#out.push(...this.#asking.at(this.#round, this.#step))
  }

  #ask(why: AskReason, about?: string | number): void {
    this.#out.push(...this.#asking.ask(why, about))
  }

  #heldValid(hash: string, round: number): boolean {
    const block = this.#held(hash)
    if (block === undefined) return false
    if (!block.valid && !this.#contradictions.has(hash)) {
      this.#contradictions.add(hash)
      this.#out.push({ type: 'contradiction', hash, round })
    }
    return block.valid
  }

  #prevote(hash: string): void {
    this.#step = 'prevote'
    this.#sign(VoteType.PREVOTE, hash, undefined)
  }

  #precommit(hash: string, keep: ProvenPledge | undefined): void {
    this.#step = 'precommit'
    this.#sign(VoteType.PRECOMMIT, hash, keep)
  }

  /** An observer goes through the step and signs nothing. */
  #sign(type: VoteType, hash: string, keep: ProvenPledge | undefined): void {
    if (this.#config.self < 0) return
    this.#out.push({ type: 'sign', vote: { type, round: this.#round, hash }, keep, entry: this.#entry })
  }

  #schedule(kind: TimeoutKind): void {
    this.#armed.add(kind)
    this.#out.push({ type: 'schedule', kind, round: this.#round })
  }
}
