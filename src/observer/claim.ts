/**
 * What a message says it is, before anything of it is checked. Only good for knowing it again: of what was seen another copy is
 * of no use, whatever its signatures are worth, and checking them is most of the work.
 */
import { blockHash } from '../chain/domain.ts'
import type { Genesis } from '../chain/genesis.ts'
import { decodeVote, isNil, VoteType } from '../chain/vote.ts'
import { toHex } from '../codec/bytes.ts'
import { Header } from '../codec/generated/chain.ts'
import { TrustedHeader } from '../codec/generated/gossip.ts'
import { headerOf, splitFinalized, splitNewBlock } from '../codec/raw.ts'
import type { Topic } from '../network/types.ts'
import type { DecodedFinalized, DecodedProposal, DecodedVote } from './decoded.ts'

export type Claim =
  | DecodedVote
  | Pick<DecodedProposal, 'type' | 'height' | 'round' | 'validRound' | 'hash'>
  | Pick<DecodedFinalized, 'type' | 'height' | 'hash'>

/** @returns undefined for events, which are known one by one, and for what cannot be read: its check will say why */
export function claimOf(genesis: Genesis, topic: Topic, payload: Uint8Array): Claim | undefined {
  try {
    switch (topic) {
      case 'vote':
        return voteClaim(genesis, payload)
      case 'block': {
        const { block, round, validRound } = splitNewBlock(payload)
        return { type: 'new-block', round, validRound, ...blockClaim(genesis, Header.decode(headerOf(block))) }
      }
      case 'finalized':
        return { type: topic, ...blockClaim(genesis, Header.decode(headerOf(splitFinalized(payload).block))) }
      case 'header':
        return { type: topic, ...blockClaim(genesis, TrustedHeader.decode(payload).header as Header) }
      case 'events':
        return undefined
    }
  } catch {
    return undefined
  }
}

function voteClaim(genesis: Genesis, payload: Uint8Array): DecodedVote {
  const vote = decodeVote(payload)
  return {
    type: vote.type === VoteType.PREVOTE ? 'prevote' : 'precommit',
    height: vote.height,
    round: vote.round,
    hash: isNil(vote) ? undefined : toHex(vote.blockHash),
    validator: genesis.validators.indexOf(vote.validator)
  }
}

function blockClaim(genesis: Genesis, header: Header): { height: number; hash: string } {
  return { height: header.height, hash: toHex(blockHash(genesis.hash, header)) }
}
