/** A validator's fault in the signed bytes that prove it (protocol §8: two different votes or proposals; §10). */
import { encodeProposal } from '../chain/proposal.ts'
import type { ValidatorSet } from '../chain/validators.ts'
import { encodeVote } from '../chain/vote.ts'
import { toHex } from '../codec/bytes.ts'
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { LedgerPort } from './ports.ts'
import type { Accusation } from './types.ts'

export interface Evidence {
  /**
   * - votes: two Votes of one validator for one round and type.
   * - proposals: two Proposals of one validator for one round.
   * - invalid-proposal: a Proposal, and the Block that it names and nobody should have proposed.
   */
  readonly kind: 'votes' | 'proposals' | 'invalid-proposal'
  readonly height: number
  readonly round: number
  /** Public keys. */
  readonly validators: readonly Uint8Array[]
  /** One line for people. */
  readonly description: string
  /** The encoded messages. */
  readonly parts: readonly Uint8Array[]
  /** One piece of evidence is kept for each kind, height and slot. */
  readonly slot: string
}

export function evidenceOf(accusation: Accusation, height: number, validators: ValidatorSet): Evidence {
  const { validator, kind } = accusation
  const { round } = accusation.first
  const what = accusation.kind === 'votes' ? `${accusation.first.type}s` : 'proposals'
  const parts =
    accusation.kind === 'votes'
      ? [encodeVote(accusation.first), encodeVote(accusation.second)]
      : [encodeProposal(accusation.first), encodeProposal(accusation.second)]
  return {
    kind,
    height,
    round,
    validators: [validators.keys[validator] as Uint8Array],
    description: `${validators.names[validator]} signed two different ${what} at height ${height}, round ${round}`,
    parts,
    slot: `${validator}/${what}`
  }
}

export function invalidProposal(input: {
  readonly height: number
  readonly round: number
  readonly proposer: number
  readonly validators: ValidatorSet
  /** Encoded. */
  readonly proposal: Uint8Array
  readonly block: Uint8Array
  readonly hash: Uint8Array
  readonly code: string
}): Evidence {
  const { height, round, proposer, validators } = input
  const name = validators.names[proposer]
  return {
    kind: 'invalid-proposal',
    height,
    round,
    validators: [validators.keys[proposer] as Uint8Array],
    description: `${name} proposed the invalid block ${toHex(input.hash)} at height ${height}, round ${round}: ${input.code}`,
    parts: [input.proposal, input.block],
    slot: `${proposer}`
  }
}

/** Says it and keeps it, once for each kind, height and slot. */
export function keepEvidence(evidence: Evidence, seenAt: number, to: { ledger: LedgerPort; log: Log }): void {
  const { ledger, log } = to
  const { kind, height, round, validators, description, parts, slot } = evidence
  log.error({ kind, height, round }, description)
  ledger.saveEvidence({ kind, height, seenAt, validators, description, parts }, slot).catch((error: unknown) => {
    log.error({ kind, height, reason: messageOf(error) }, 'evidence could not be kept')
  })
}
