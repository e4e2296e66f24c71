import type { CheckedBlock } from '../chain/check-block.ts'
import type { EventWindow } from '../chain/event-window.ts'
import { type Failure, failure } from '../chain/failures.ts'
import { HASH_BYTES } from '../chain/merkle.ts'
import { toHex } from '../codec/bytes.ts'

/**
 * Whether an event of the block is in an ancestor. Those that could hold a valid one are within two windows of the tip
 * (protocol §3): just the ones that `window` remembers.
 */
export function repeatedEvent(window: EventWindow, block: CheckedBlock): Failure | undefined {
  const { eventIds } = block
  for (let at = 0; at < eventIds.byteLength; at += HASH_BYTES) {
    const id = eventIds.subarray(at, at + HASH_BYTES)
    if (window.has(id)) {
      return failure('EVENT_REPEATED', `events[${at / HASH_BYTES}]: ${toHex(id)} is in an earlier block`)
    }
  }
  return undefined
}
