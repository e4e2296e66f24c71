import { sha256 as digest } from '@noble/hashes/sha2.js'

/** sha256.ts without Node's crypto: the `browser` field of package.json puts it in that file's place. */

export const SHA256_BYTES = 32

/** SHA-256 (FIPS 180-4) in one shot. */
export function sha256(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return digest(data) as Uint8Array<ArrayBuffer>
}

/** The same, written to out[at, at + 32): for trees of many small nodes. */
export function sha256Into(out: Uint8Array, data: Uint8Array, at = 0): void {
  out.set(digest(data), at)
}
