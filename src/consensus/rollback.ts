/** Fork resolution (protocol §8): another block became final; what the pending ones held goes back to the mempool. */
import { type CheckedEvent, checkEvent } from '../chain/event.ts'
import type { Params } from '../chain/params.ts'
import { toHex } from '../codec/bytes.ts'
import { splitBlock } from '../codec/raw.ts'

const ID_BYTES = 32

/**
 * The events of blocks that were valid and did not become final, without those that did.
 * @param blocks encoded Blocks, found valid before
 * @param finalIds 32·n bytes
 */
export function returnedEvents(blocks: readonly Uint8Array[], finalIds: Uint8Array, params: Params): CheckedEvent[] {
  const known = new Set<string>()
  for (let at = 0; at < finalIds.byteLength; at += ID_BYTES) known.add(toHex(finalIds.subarray(at, at + ID_BYTES)))
  const events: CheckedEvent[] = []
  for (const block of blocks) {
    for (const bytes of splitBlock(block).events) {
      const event = checkEvent(bytes, params)
      const id = toHex(event.id)
      if (known.has(id)) continue
      known.add(id)
      events.push(event)
    }
  }
  return events
}
