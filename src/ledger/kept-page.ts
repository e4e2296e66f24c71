import { MolochError } from '../error.ts'
import type { KeptEvents } from '../store/kept-events.ts'
import { MAX_PAGE_EVENTS } from './query.ts'

/** Bytes of one page: whoever asks for a page of the largest events must not fill memory. */
const MAX_PAGE_BYTES = 4 << 20

export interface KeptPage {
  /** Encoded SignedEvents. */
  readonly events: readonly Uint8Array[]
  /** Where to go on; undefined: that was all. */
  readonly nextCursor: string | undefined
}

/** A page of events that wait no longer, the newest first. @throws MolochError BAD_CURSOR */
export async function keptPage(store: KeptEvents, cursor: string | undefined, limit: number): Promise<KeptPage> {
  const pageSize = Math.min(Math.max(1, limit), MAX_PAGE_EVENTS)
  const events: Uint8Array[] = []
  let size = 0
  let last = 0
  for await (const { place, bytes } of store.rows(cursor === undefined ? undefined : parseCursor(cursor))) {
    size += bytes.byteLength
    const full = events.length === pageSize || (events.length > 0 && size > MAX_PAGE_BYTES)
    if (full) return { events, nextCursor: String(last) }
    events.push(bytes)
    last = place
  }
  return { events, nextCursor: undefined }
}

/** The place that the page before ended with. */
function parseCursor(cursor: string): number {
  if (/^[1-9]\d{0,13}$/.test(cursor)) return Number(cursor)
  throw new MolochError('BAD_CURSOR', `cursor ${JSON.stringify(cursor)} is none; accepted: a page's next_cursor`)
}
