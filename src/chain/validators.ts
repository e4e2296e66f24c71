import { concatBytes, equalBytes, utf8 } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'

/** Bounds the work of a commit (one signature check each) and its size. */
export const MAX_VALIDATORS = 128

const VALIDATORS_DOMAIN = utf8('moloch/validators/v1')

/** The validators of the genesis, in its order, which is also the order of a commit's signatures. */
export class ValidatorSet {
  readonly names: readonly string[]
  /** Ed25519 public keys. */
  readonly keys: readonly Uint8Array<ArrayBuffer>[]
  readonly size: number
  /** q = ⌊2n/3⌋+1: any two sets of this many share a validator that is not faulty. */
  readonly quorum: number
  /** f = ⌊(n−1)/3⌋: the most that may be faulty. */
  readonly faulty: number
  /** `validators_hash` of every header. */
  readonly hash: Uint8Array<ArrayBuffer>
  /** By the first bytes of the key: every signature of a commit is looked up, and hex strings were a tenth of a header's check. */
  readonly #indexes = new Map<number, number[]>()

  /** @param validators 1 … 128 with distinct keys of 32 bytes (the genesis parser sees to it) */
  constructor(validators: readonly { readonly name: string; readonly publicKey: Uint8Array }[]) {
    this.names = validators.map((v) => v.name)
    this.keys = validators.map((v) => new Uint8Array(v.publicKey))
    this.size = validators.length
    this.quorum = Math.floor((2 * this.size) / 3) + 1
    this.faulty = Math.floor((this.size - 1) / 3)
    this.hash = sha256(concatBytes(VALIDATORS_DOMAIN, ...this.keys))
    this.keys.forEach((key, index) => {
      this.#indexes.set(prefix(key), [...(this.#indexes.get(prefix(key)) ?? []), index])
    })
  }

  /** Index in genesis order, −1 for a stranger. */
  indexOf(publicKey: Uint8Array): number {
    for (const index of this.#indexes.get(prefix(publicKey)) ?? []) {
      if (equalBytes(this.keys[index] as Uint8Array, publicKey)) return index
    }
    return -1
  }

  /** Index of proposer(h, r) = (h + r) mod n. */
  proposer(height: number, round: number): number {
    return ((height % this.size) + (round % this.size)) % this.size
  }
}

function prefix(key: Uint8Array): number {
  return ((key[0] ?? 0) << 24) | ((key[1] ?? 0) << 16) | ((key[2] ?? 0) << 8) | (key[3] ?? 0)
}
