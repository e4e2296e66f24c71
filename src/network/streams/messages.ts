import { HASH_BYTES } from '../../chain/domain.ts'
import { countFields, type Shape } from '../../codec/field-count.ts'
import { messageOf } from '../../error.ts'
import { networkError } from '../errors.ts'

/** Requests but GetVotes have a few fields: a longer one is no request. */
export const MAX_SMALL_REQUEST_BYTES = 1024
/** GetVotes has a bitmap of 16 bytes for each round and type that the asker knows of. */
export const MAX_VOTES_REQUEST_BYTES = 64 << 10
/** A Status holds a commit of at most 128 signatures, 102 bytes each. */
export const MAX_STATUS_BYTES = 32 << 10

/** A kind of message that comes in frames. */
export interface Wire<T> {
  readonly name: string
  readonly codec: { decode(frame: Uint8Array): T }
  readonly shape: Shape
}

/** The most that messages of a few fields have, unknown ones of a later version among them. */
const FEW_FIELDS = 64

/**
 * @param maxFields on all levels together; more are not decoded, for each would be an object
 * @throws MolochError BAD_FRAME for what is no such message, or has more fields
 */
export function decoded<T>({ name, codec, shape }: Wire<T>, frame: Uint8Array, maxFields = FEW_FIELDS): T {
  try {
    countFields(frame, shape, maxFields)
    return codec.decode(frame)
  } catch (error) {
    throw networkError('BAD_FRAME', `${name}: ${messageOf(error)}`)
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
