/**
 * A validator's word, on an `Events` message, that its own API accepted the events. It says nothing of them but this: whose
 * share they are on at other nodes (mempool.ts), whoever hands the message on. A stranger has no such word to give.
 */
import { joinEvents, type VoucherParts, withoutVoucher } from '../codec/raw.ts'
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
