import type { VoteType } from '../codec/generated/chain.ts'

/**
 * A validator's fault, in the signed bytes that prove it. `first` and `second` are encoded Votes or Proposals
 * (protocol §8: two different ones of one validator in one round and type); an invalid proposal is an encoded Proposal
 * and the Block that it names.
 */
export type Evidence =
  | {
      readonly kind: 'votes'
      readonly height: number
      readonly round: number
      readonly type: VoteType
      /** The validator's public key. */
      readonly validator: Uint8Array
      readonly first: Uint8Array
      readonly second: Uint8Array
    }
  | {
      readonly kind: 'proposals'
      readonly height: number
      readonly round: number
      readonly validator: Uint8Array
      readonly first: Uint8Array
      readonly second: Uint8Array
    }
  | {
      readonly kind: 'invalid-proposal'
      readonly height: number
      readonly round: number
      readonly validator: Uint8Array
      readonly proposal: Uint8Array
      readonly block: Uint8Array
      /** The failure's code. */
      readonly code: string
    }
