import { assertCanonical } from '../codec/canonical.ts'
import { Proposal } from '../codec/generated/chain.ts'
import { PROPOSAL } from '../codec/rules.ts'
import { type KeyPair, sign, verify } from '../crypto/ed25519.ts'
import { type ProposalSlot, proposalMessage, sealMessage } from './domain.ts'
import { type Failure, failure } from './failures.ts'
import type { Genesis } from './genesis.ts'

export { Proposal } from '../codec/generated/chain.ts'

/** Signs whatever it is given: refuse conflicts before. */
export function signProposal(genesisHash: Uint8Array, key: KeyPair, slot: ProposalSlot): Uint8Array<ArrayBuffer> {
  return sign(key, proposalMessage(genesisHash, slot))
}

/** The proposer's seal of a block. */
export function signSeal(genesisHash: Uint8Array, key: KeyPair, hash: Uint8Array): Uint8Array<ArrayBuffer> {
  return sign(key, sealMessage(genesisHash, hash))
}

/** Whether the signature is proposer(height, round)'s over the slot, and the valid round is an earlier one. */
export function checkProposal(genesis: Genesis, slot: ProposalSlot, signature: Uint8Array): Failure | undefined {
  const { height, round, validRound } = slot
  if (validRound !== undefined && validRound >= round) {
    return failure('BAD_PROPOSAL', `proposal's valid_round is ${validRound}; accepted: below its round ${round}`)
  }
  const { validators } = genesis
  const proposer = validators.proposer(height, round)
  if (!verify(validators.keys[proposer] as Uint8Array, proposalMessage(genesis.hash, slot), signature)) {
    const who = validators.names[proposer]
    return failure('BAD_PROPOSAL_SIGNATURE', `proposal of round ${round} is not signed by ${who}, whose turn it was`)
  }
  return undefined
}

/** The canonical encoding. */
export function encodeProposal(proposal: ProposalSlot & { readonly signature: Uint8Array }): Uint8Array<ArrayBuffer> {
  const { height, round, validRound, blockHash, signature } = proposal
  // Only the declared kind of buffer differs.
  const fields = { height, round, blockHash, signature } as Proposal
  return Proposal.encode(validRound === undefined ? fields : { ...fields, validRound })
}

/** @returns fields that are views of `bytes`; @throws MolochError NON_CANONICAL */
export function decodeProposal(bytes: Uint8Array): Proposal {
  assertCanonical(PROPOSAL, bytes)
  return Proposal.decode(bytes)
}
