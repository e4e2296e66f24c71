import { hash } from 'node:crypto'

/** SHA-256 (FIPS 180-4) in one shot: cheaper per call than a Hash object. */
export function sha256(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return hash('sha256', data, 'buffer') as Buffer<ArrayBuffer>
}
