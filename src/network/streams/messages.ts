import { HASH_BYTES } from '../../chain/domain.ts'
import { messageOf } from '../../error.ts'
import { networkError } from '../errors.ts'

/** Requests but GetVotes have a few fields: a longer one is no request. */
export const MAX_SMALL_REQUEST_BYTES = 1024
/** GetVotes has a bitmap of 16 bytes for each round and type that the asker knows of. */
export const MAX_VOTES_REQUEST_BYTES = 64 << 10
/** A Status holds a commit of at most 128 signatures, 102 bytes each. */
export const MAX_STATUS_BYTES = 32 << 10

/** @throws MolochError BAD_FRAME for what `read` cannot read */
export function decoded<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw networkError('BAD_FRAME', `${what}: ${messageOf(error)}`)
  }
}

/** @throws MolochError BAD_FRAME unless `field` has exactly `length` bytes */
export function assertBytes(what: string, field: Uint8Array, length = HASH_BYTES): void {
  if (field.byteLength !== length) throw networkError('BAD_FRAME', `${what}: ${field.byteLength} bytes, not ${length}`)
}

/** @throws MolochError BAD_FRAME unless `value` is an integer in 0 … 2⁵³−1 */
export function assertHeight(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw networkError('BAD_FRAME', `${what}: ${value} is no height`)
}
