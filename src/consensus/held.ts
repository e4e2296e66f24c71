/** From signed messages to what the machine is told of them, and back from a signer's log. */
import type { Genesis } from '../chain/genesis.ts'
import type { ValidatorSet } from '../chain/validators.ts'
import { toHex } from '../codec/bytes.ts'
import { Header, type Proposal, type Vote } from '../codec/generated/chain.ts'
import { splitBlock } from '../codec/raw.ts'
import { lastPosition, type SignerMemory } from './signer-log.ts'
import type { BlockFacts, HeldProposal, HeldVote, Restored } from './types.ts'

/** @param vote of a validator; its bytes are copied, since votes are kept and payloads should not be */
export function heldVote(validators: ValidatorSet, vote: Vote): HeldVote {
  const { type, height, round } = vote
  const own: Vote = {
    type,
    height,
    round,
    blockHash: new Uint8Array(vote.blockHash),
    validator: new Uint8Array(vote.validator),
    signature: new Uint8Array(vote.signature)
  }
  return { type, round, validator: validators.indexOf(vote.validator), hash: toHex(vote.blockHash), vote: own }
}

export function heldProposal(proposal: Proposal): HeldProposal {
  const { round, validRound } = proposal
  const own: Proposal = {
    ...proposal,
    blockHash: new Uint8Array(proposal.blockHash),
    signature: new Uint8Array(proposal.signature)
  }
  return { round, validRound: validRound ?? -1, hash: toHex(proposal.blockHash), proposal: own }
}

export function blockFacts(genesis: Genesis, hash: string, header: Header, valid: boolean): BlockFacts {
  return { hash, valid, timestamp: header.timestamp, proposer: genesis.validators.indexOf(header.proposer) }
}

export function headerOfBlock(blockBytes: Uint8Array): Header {
  return Header.decode(splitBlock(blockBytes).header)
}

/**
 * What a machine resumes from. The blocks of the log were found valid before they got there. A valid value may have been kept
 * before anything was signed: then the height begins anew, and the prevotes for it bring the machine to their round.
 */
export function restoredFrom(genesis: Genesis, memory: SignerMemory): Restored | undefined {
  const last = lastPosition(memory) ?? (memory.valid && { round: 0, step: 'propose' })
  if (last === undefined) return undefined
  const votes = [...memory.votes, ...[...memory.prevotes.values()].flat(), ...(memory.entry?.votes ?? [])]
  return {
    ...last,
    locked: memory.locked,
    valid: memory.valid,
    votes: votes.map((vote) => heldVote(genesis.validators, vote)),
    proposals: memory.proposals.map(heldProposal),
    blocks: [...memory.blocks].map(([hash, bytes]) => blockFacts(genesis, hash, headerOfBlock(bytes), true))
  }
}
