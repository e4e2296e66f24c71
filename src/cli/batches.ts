import { EventBody } from '../chain/event.ts'

/** Below the API's limit of a batch: with many of them a node's other callers wait for as long. */
export const BATCH_EVENTS = 250
/** Half of the API's limit of a body: what is estimated here may not come near it. */
export const BATCH_BYTES = 2 * 2 ** 20
/** What JSON adds to the base64 of a body: key and signature in hex, the names of the fields. */
const EVENT_OVERHEAD = 256

/** Events in the order given, cut into what one request carries: by number and by bytes, but at least one each. */
export function batchesOf<Fields extends Omit<EventBody, 'timestamp'>>(events: readonly Fields[]): Fields[][] {
  const batches: Fields[][] = []
  let batch: Fields[] = []
  let bytes = 0
  for (const event of events) {
    // No timestamp makes a longer body.
    const body = EventBody.encode({ ...event, timestamp: Number.MAX_SAFE_INTEGER }).byteLength
    const size = Math.ceil((body * 4) / 3) + EVENT_OVERHEAD
    if (batch.length === BATCH_EVENTS || (batch.length > 0 && bytes + size > BATCH_BYTES)) {
      batches.push(batch)
      batch = []
      bytes = 0
    }
    batch.push(event)
    bytes += size
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}
