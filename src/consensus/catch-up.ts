/**
 * GetVotes (protocol §8, §9): what to ask for, and what to answer. Pubsub does not promise delivery, so this is what
 * the progress of consensus rests on. Pure.
 */
import { encodeProposal } from '../chain/proposal.ts'
import { encodeVote } from '../chain/vote.ts'
import { fromHex, toHex } from '../codec/bytes.ts'
import { VoteType } from '../codec/generated/chain.ts'
import { type GetVotes, type RawVotes, VoteType as SyncVoteType } from '../codec/generated/sync.ts'
import type { Turn } from './asked.ts'
import type { HeightBook } from './book.ts'
import { type HeldVote, type Lack, NIL } from './types.ts'

/** Room for votes in an answer without a block: a few rounds of the largest validator set. */
const VOTES_BYTES = 512 << 10
/** With a block: it and its votes have to fit one frame, which leaves 64 KiB beside the largest block. */
const VOTES_BYTES_BESIDE_BLOCK = 56 << 10
const FIRST_TURN: Turn = { block: 0, polka: 0 }
const NOTHING = new Uint8Array(0)

export const noVotes = (): RawVotes => ({ votes: [], proposal: NOTHING, block: NOTHING, finalized: NOTHING })

/**
 * @param size number of validators
 * @param turn of the peer that is asked: what it does not have is not to keep us from asking it for something else
 */
export function votesRequest(book: HeightBook, height: number, lack: Lack, size: number, turn = FIRST_TURN): GetVotes {
  const { round, blocks, polkas } = lack
  const block = turn.block === undefined ? undefined : blocks[turn.block % blocks.length]
  const polka = polkas[turn.polka % polkas.length]
  const have = [haveOf(book, round, VoteType.PREVOTE, size), haveOf(book, round, VoteType.PRECOMMIT, size)]
  const request = {
    height,
    round,
    blockHash: block === undefined ? NOTHING : (fromHex(block, 32) as Uint8Array<ArrayBuffer>)
  }
  if (polka === undefined) return { ...request, have }
  // Of an equivocator the prevote for this very hash may be the one that we lack: only those for it count as had.
  const had = haveOf(book, polka.round, VoteType.PREVOTE, size, polka.hash)
  return { ...request, validRound: polka.round, have: [...have, had] }
}

function haveOf(
  book: HeightBook,
  round: number,
  type: VoteType,
  size: number,
  hash?: string
): GetVotes['have'][number] {
  const bitmap = new Uint8Array(Math.ceil(size / 8))
  for (const held of book.votes.tally(type, round).all()) {
    if (hash !== undefined && held.hash !== hash) continue
    bitmap[held.validator >> 3] = (bitmap[held.validator >> 3] ?? 0) | (1 << (held.validator & 7))
  }
  // The two generated files have the enum each; its values are the same.
  return { round, type: SyncVoteType[type], bitmap }
}

/**
 * The answer about the current height: the missing votes of the rounds asked for, all non-nil precommits, and of each
 * validator that signed in a later round its votes there, by which the asker knows where the others are.
 * @param blockOf bytes of a block that is held
 */
export function votesAnswer(
  book: HeightBook,
  request: GetVotes,
  size: number,
  blockOf: (hash: string) => Uint8Array | undefined
): RawVotes {
  const block = request.blockHash.byteLength === 0 ? undefined : blockOf(toHex(request.blockHash))
  const proposal = book.proposals.get(request.round)?.proposal
  const chosen = new Map<string, HeldVote>()
  const add = (held: HeldVote): void => {
    chosen.set(`${held.type}/${held.round}/${held.validator}/${held.hash}`, held)
  }
  missingOf(book, request, request.round, VoteType.PREVOTE).forEach(add)
  missingOf(book, request, request.round, VoteType.PRECOMMIT).forEach(add)
  if (request.validRound !== undefined) missingOf(book, request, request.validRound, VoteType.PREVOTE).forEach(add)
  for (let validator = 0; validator < size; validator++) book.votes.latestAbove(validator, request.round).forEach(add)
  for (const round of book.votes.rounds().reverse()) {
    for (const held of book.votes.tally(VoteType.PRECOMMIT, round).all()) if (held.hash !== NIL) add(held)
  }
  const votes: RawVotes['votes'] = []
  let room = block === undefined ? VOTES_BYTES : VOTES_BYTES_BESIDE_BLOCK
  for (const held of chosen.values()) {
    const bytes = encodeVote(held.vote)
    room -= bytes.byteLength + 4
    if (room < 0) break
    votes.push(bytes)
  }
  return {
    votes,
    proposal: proposal === undefined ? NOTHING : encodeProposal(proposal),
    block: (block ?? NOTHING) as Uint8Array<ArrayBuffer>,
    finalized: NOTHING
  }
}

function missingOf(book: HeightBook, request: GetVotes, round: number, type: VoteType): HeldVote[] {
  const have = request.have.find((one) => one.round === round && one.type === SyncVoteType[type])
  return book.votes
    .tally(type, round)
    .all()
    .filter(({ validator }) => (((have?.bitmap[validator >> 3] ?? 0) >> (validator & 7)) & 1) === 0)
}
