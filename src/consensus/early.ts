/**
 * Messages for the height after the current one. Who decides first votes on while others still write the block down:
 * what gossip brings in that moment comes only once, so a little of it is kept.
 */
import type { Header } from '../codec/generated/chain.ts'
import type { HeldProposal, HeldVote, Slot } from './types.ts'

/** Rounds of the next height of which messages are kept. Who is further behind asks for votes. */
const EARLY_ROUNDS = 2

export interface EarlyProposal {
  readonly proposal: HeldProposal
  readonly header: Header
  readonly blockBytes: Uint8Array
}

export class Early {
  #height = 0
  readonly #votes = new Map<string, HeldVote>()
  readonly #proposals = new Map<number, EarlyProposal>()

  /** From now on messages of this height are early; those of other heights go. */
  expect(height: number): void {
    this.#height = height
    this.#votes.clear()
    this.#proposals.clear()
  }

  classifyVote(height: number, vote: Pick<HeldVote, 'type' | 'round' | 'validator' | 'hash'>): Slot {
    if (height !== this.#height || vote.round >= EARLY_ROUNDS) return 'early'
    const held = this.#votes.get(slotOf(vote))
    if (held === undefined) return 'new'
    return held.hash === vote.hash ? 'known' : 'surplus'
  }

  addVote(vote: HeldVote): void {
    this.#votes.set(slotOf(vote), vote)
  }

  classifyProposal(height: number, round: number, hash: string): Slot {
    if (height !== this.#height || round >= EARLY_ROUNDS) return 'early'
    const held = this.#proposals.get(round)
    if (held === undefined) return 'new'
    return held.proposal.hash === hash ? 'known' : 'surplus'
  }

  addProposal(early: EarlyProposal): void {
    this.#proposals.set(early.proposal.round, { ...early, blockBytes: new Uint8Array(early.blockBytes) })
  }

  /** What was kept of `height`, which begins now. */
  take(height: number): { votes: HeldVote[]; proposals: EarlyProposal[] } {
    if (height !== this.#height) return { votes: [], proposals: [] }
    const taken = { votes: [...this.#votes.values()], proposals: [...this.#proposals.values()] }
    this.expect(0)
    return taken
  }
}

function slotOf(vote: Pick<HeldVote, 'type' | 'round' | 'validator'>): string {
  return `${vote.type}/${vote.round}/${vote.validator}`
}
