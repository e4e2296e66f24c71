import sodium from 'sodium-native'

/** An Ed25519 key pair (RFC 8032). `secretKey` is seed ‖ public key, 64 bytes, as libsodium keeps it. */
export interface KeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

export const SEED_BYTES = 32
export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  const publicKey = Buffer.alloc(PUBLIC_KEY_BYTES)
  const secretKey = Buffer.alloc(64)
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, Buffer.from(seed))
  return { publicKey: new Uint8Array(publicKey), secretKey: new Uint8Array(secretKey) }
}

export function sign(key: KeyPair, message: Uint8Array): Uint8Array<ArrayBuffer> {
  const signature = Buffer.alloc(SIGNATURE_BYTES)
  sodium.crypto_sign_detached(signature, message as Buffer, key.secretKey as Buffer)
  return new Uint8Array(signature)
}

/**
 * Whether `signature` is valid as protocol §0 has it: RFC 8032, cofactorless equation, S < L, A and R not of small
 * order, A canonical. That is what libsodium accepts; test/crypto holds the edge cases. Wrong lengths are invalid.
 */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.byteLength !== PUBLIC_KEY_BYTES || signature.byteLength !== SIGNATURE_BYTES) return false
  // The binding takes any Uint8Array; only its types say Buffer.
  return sodium.crypto_sign_verify_detached(signature as Buffer, message as Buffer, publicKey as Buffer)
}

/** Whether the bytes are a key that a secret one can have: a canonical point of the prime-order group. */
export function isPublicKey(bytes: Uint8Array): boolean {
  return bytes.byteLength === PUBLIC_KEY_BYTES && sodium.crypto_core_ed25519_is_valid_point(bytes as Buffer)
}
