/**
 * A validator's word, on an `Events` message, that its own API accepted the events. It says nothing of them but this: whose
 * share they are on at other nodes (mempool.ts), whoever hands the message on. A stranger has no such word to give.
 */
import { joinEvents, type VoucherParts, voucherAtEnd, withoutVoucher } from '../codec/raw.ts'
import { type KeyPair, sign, verify } from '../crypto/ed25519.ts'
import { sha256 } from '../crypto/sha256.ts'
import { voucherMessage } from './domain.ts'
import type { Genesis } from './genesis.ts'

/** An `Events` message of these encoded SignedEvents, with the word of the validator. */
export function vouchedEvents(genesisHash: Uint8Array, key: KeyPair, events: readonly Uint8Array[]): Uint8Array {
  const signature = sign(key, voucherMessage(genesisHash, sha256(joinEvents(events))))
  return joinEvents(events, { validator: key.publicKey, signature })
}

/**
 * Who vouches for a canonical `Events` message with this voucher.
 * @returns the validator's index; undefined: it is the word of no validator, or not over these events
 */
export function voucherOf(genesis: Genesis, payload: Uint8Array, voucher: VoucherParts): number | undefined {
  const index = genesis.validators.indexOf(voucher.validator)
  if (index < 0) return undefined
  const message = voucherMessage(genesis.hash, sha256(withoutVoucher(payload)))
  return verify(voucher.validator, message, voucher.signature) ? index : undefined
}

/** What an `Events` message says of who vouches for it, before anything else of it is looked at. */
export type Claim =
  | { readonly kind: 'none' }
  /** The word of a validator, over all that comes before it. */
  | { readonly kind: 'true'; readonly validator: number }
  /** Said to be a validator's, and it is not: every node refuses the message. */
  | { readonly kind: 'false' }

/** Which validator a message names; that it is its word is not checked. */
export function namedValidator(genesis: Genesis, payload: Uint8Array): number | undefined {
  const voucher = voucherAtEnd(payload)
  const index = voucher === undefined ? -1 : genesis.validators.indexOf(voucher.validator)
  return index < 0 ? undefined : index
}

/** Costs a hash and one signature, whatever the message has. */
export function claimOf(genesis: Genesis, payload: Uint8Array): Claim {
  if (namedValidator(genesis, payload) === undefined) return { kind: 'none' }
  const validator = voucherOf(genesis, payload, voucherAtEnd(payload) as VoucherParts)
  return validator === undefined ? { kind: 'false' } : { kind: 'true', validator }
}
