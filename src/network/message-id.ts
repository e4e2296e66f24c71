import { concatBytes, utf8 } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'

/** Over the whole payload: a bad copy has another id, and cannot shadow a good one. */
export function messageId(topic: string, data: Uint8Array): Uint8Array {
  return sha256(concatBytes(utf8(topic), data))
}
