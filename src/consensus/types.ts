/**
 * What goes into the round machine and what comes out (protocol §8). All of it is plain data about one height.
 *
 * A hash is lowercase hex, the empty string is nil. A validator is its index in the genesis. What the machine is given
 * has passed every check of signatures and form; what a block is worth comes separately, when its validation is done.
 */
import type { Proposal, Vote, VoteType } from '../codec/generated/chain.ts'
import type { Timing } from './block-time.ts'

export const NIL = ''

export type Step = 'propose' | 'prevote' | 'precommit'
export type TimeoutKind = Step

/** A vote whose signature verified, with the slot that it is for. */
export interface HeldVote {
  readonly type: VoteType
  readonly round: number
  readonly validator: number
  readonly hash: string
  /** The signed message, for commits, evidence and whoever asks. */
  readonly vote: Vote
}

/** A proposal whose signature is of proposer(height, round). `validRound` is −1 for a fresh one. */
export interface HeldProposal {
  readonly round: number
  readonly validRound: number
  readonly hash: string
  readonly proposal: Proposal
}

/** What validation found about a block: valid(block) of protocol §8, which no clock changes. */
export interface BlockFacts {
  readonly hash: string
  readonly valid: boolean
  /** Of its header, Unix ms. */
  readonly timestamp: number
  /** Of its header; −1 if it is no validator. */
  readonly proposer: number
}

/** A value and the round in which q validators prevoted it. */
export interface Pledge {
  readonly hash: string
  readonly round: number
}

/** A pledge with its proof: q prevotes of that round for that hash. */
export interface ProvenPledge extends Pledge {
  readonly prevotes: readonly Vote[]
}

/** What a signer's log gives back after a restart: everything of one height. */
export interface Restored {
  readonly round: number
  readonly step: Step
  readonly locked: Pledge | undefined
  readonly valid: Pledge | undefined
  /** Own votes, the prevotes that prove `locked`, `valid` and the last own proposal, and the votes that led into `round`. */
  readonly votes: readonly HeldVote[]
  /** Own proposals. */
  readonly proposals: readonly HeldProposal[]
  /** The blocks of `locked`, `valid` and the last own proposal. */
  readonly blocks: readonly BlockFacts[]
}

export type Input =
  | { readonly type: 'vote'; readonly vote: HeldVote }
  | { readonly type: 'proposal'; readonly proposal: HeldProposal }
  /** A block is held; what it is worth is being found out. */
  | { readonly type: 'block-held'; readonly hash: string }
  | { readonly type: 'block'; readonly block: BlockFacts }
  /** It could not be found out, and the block is not held any more. */
  | { readonly type: 'block-lost'; readonly hash: string }
  | { readonly type: 'timeout'; readonly kind: TimeoutKind; readonly round: number }
  /** The time of the last `ask-after` is over. */
  | { readonly type: 'ask-due' }
  /** The block that `propose` asked for could not be made. */
  | { readonly type: 'proposal-failed'; readonly round: number }

/** Why peers are asked for what is lacking. */
export type AskReason =
  /** A round above 0 began: what led others there may have been lost. */
  | 'round'
  /** Prevotes are not here on which a re-proposal rests (rule 3), or somebody's lock (rule 11). */
  | 'polka'
  /** A block is named and not held. */
  | 'block'
  /** A validator is in a later round than we are. */
  | 'ahead'
  /** Nothing came of a step for as long as it may take. */
  | 'stalled'

/** What a height cannot go on without, as far as it is known, and what others may hold. */
export interface Lack {
  readonly round: number
  /** Blocks that are named and not held, the most urgent one first. */
  readonly blocks: readonly string[]
  /**
   * Values whose q prevotes of that round are not here: what a re-proposal rests on; else what validators precommitted,
   * and so are locked on.
   */
  readonly polkas: readonly Pledge[]
}

/** Two different messages of one validator for one round and type. */
export type Accusation =
  | { readonly kind: 'votes'; readonly validator: number; readonly first: Vote; readonly second: Vote }
  | { readonly kind: 'proposals'; readonly validator: number; readonly first: Proposal; readonly second: Proposal }

export type Action =
  /** A round began. */
  | { readonly type: 'round'; readonly round: number }
  /** Our turn: offer `valid` again, or a new block. */
  | {
      readonly type: 'propose'
      readonly round: number
      readonly valid: Pledge | undefined
      readonly entry: readonly Vote[]
    }
  /**
   * Make a vote durable, then send it and hand it back as an input: only then does it count. With `keep` (a precommit
   * of a block) the lock and the valid value become durable in the same write; so does `entry`, the votes that brought
   * us into the round (see Machine).
   */
  | {
      readonly type: 'sign'
      readonly vote: { readonly type: VoteType; readonly round: number; readonly hash: string }
      readonly keep: ProvenPledge | undefined
      readonly entry: readonly Vote[]
    }
  /** The valid value changed without a precommit: make it durable. */
  | { readonly type: 'set-valid'; readonly keep: ProvenPledge }
  /** Hand back a timeout input after the time of that kind and round. */
  | { readonly type: 'schedule'; readonly kind: TimeoutKind; readonly round: number }
  /** Something is lacking: ask a few peers for it (`Machine.lack`). */
  | { readonly type: 'ask'; readonly why: AskReason }
  /**
   * Hand back `ask-due` after the time that this step may take, if the height is in it then: a later one replaces it.
   * `asked` is how often that has been in vain.
   */
  | { readonly type: 'ask-after'; readonly round: number; readonly step: Step; readonly asked: number }
  /** Final: `precommits` are ≥ q of one round. Nothing comes after it. */
  | {
      readonly type: 'decide'
      readonly hash: string
      readonly round: number
      readonly precommits: readonly Vote[]
    }
  | { readonly type: 'evidence'; readonly accusation: Accusation }
  /** The time of a fresh proposal of another validator, as our clock had it. Times in Unix ms. */
  | {
      readonly type: 'timed'
      readonly proposer: number
      readonly timestamp: number
      readonly now: number
      readonly timing: Timing
    }
  /** A block that this height can no longer need. */
  | { readonly type: 'forget'; readonly hash: string }
  /** q validators voted for a block that our own check refuses: this node is wrong, or more than f validators are. */
  | { readonly type: 'contradiction'; readonly hash: string; readonly round: number }

/** How a message relates to what is held; found out before its signature is checked. */
export type Slot =
  /** Nothing is held there. */
  | 'new'
  /** The very same is held. */
  | 'known'
  /** Another one is held; this one is wanted too, as evidence and for its hash. */
  | 'conflict'
  /** Enough is held there. */
  | 'surplus'
  /** Below what is kept, or below the validator's highest round beyond r+1. */
  | 'stale'
  /** Too far ahead. */
  | 'early'

/** The block above the finalized tip, as far as it has been seen. */
export interface PendingView {
  readonly hash: string
  /** The last round that proposed it. */
  readonly round: number
  /** Precommits of the best single round. */
  readonly signatures: number
}
