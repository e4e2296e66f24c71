import { hash } from 'node:crypto'
import sodium from 'sodium-native'

/** SHA-256 (FIPS 180-4) in one shot: cheaper per call than a Hash object. */
export function sha256(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return hash('sha256', data, 'buffer') as Buffer<ArrayBuffer>
}

/** The same, written to the first 32 bytes of `out`: for trees of many small nodes, where making the result costs most. */
export function sha256Into(out: Uint8Array, data: Uint8Array): void {
  // The binding takes any Uint8Array; only its types say Buffer.
  sodium.crypto_hash_sha256(out as Buffer, data as Buffer)
}
