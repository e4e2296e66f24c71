import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, equalBytes } from '../../codec/bytes.ts'
import type { KeyPair } from '../ed25519.ts'

/**
 * ed25519.ts without libsodium: the `browser` field of package.json puts it in that file's place. Key pairs and
 * signatures are the library's. Its `verify` is not used: its strict form has the cofactored equation, so it takes
 * signatures that libsodium refuses; two clients that differ there can be made to disagree on a commit. So the rule of
 * protocol §0 is built here from its point arithmetic, and test/crypto holds both to the same edge cases.
 */
export type { KeyPair } from '../ed25519.ts'

export const SEED_BYTES = 32
export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

const { Point } = ed25519
type Point = InstanceType<typeof Point>
/** The order of the base point. */
const L = Point.Fn.ORDER

export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  const publicKey = ed25519.getPublicKey(seed)
  return { publicKey, secretKey: concatBytes(seed, publicKey) }
}

export function sign(key: KeyPair, message: Uint8Array): Uint8Array<ArrayBuffer> {
  return ed25519.sign(message, key.secretKey.subarray(0, SEED_BYTES)) as Uint8Array<ArrayBuffer>
}

/** Whether S·B − k·A is R, byte for byte; with S < L, A canonical, A and R not of small order. Wrong lengths are invalid. */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.byteLength !== PUBLIC_KEY_BYTES || signature.byteLength !== SIGNATURE_BYTES) return false
  const r = signature.subarray(0, 32)
  const s = fromLittleEndian(signature.subarray(32))
  if (s >= L) return false
  const a = pointOf(publicKey)
  if (a === undefined || a.isSmallOrder()) return false
  const k = fromLittleEndian(sha512(concatBytes(r, publicKey, message))) % L
  const expected = Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k))
  // Encoding it is what refuses an R that is not canonical: R itself is never decoded.
  return !expected.isSmallOrder() && equalBytes(expected.toBytes(), r)
}

/** Whether the bytes are a key that a secret one can have: a canonical point of the prime-order group. */
export function isPublicKey(bytes: Uint8Array): boolean {
  const point = bytes.byteLength === PUBLIC_KEY_BYTES ? pointOf(bytes) : undefined
  return point !== undefined && !point.isSmallOrder() && point.isTorsionFree()
}

/** Undefined for bytes that are no point, or not the one encoding of it. */
function pointOf(bytes: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(bytes)
  } catch {
    return undefined
  }
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (let i = bytes.byteLength - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number)
  return value
}
