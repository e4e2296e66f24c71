import { MolochError } from '../error.ts'
import type { KeptEvents, KeptRow } from '../store/kept-events.ts'
import { MAX_PAGE_EVENTS, type Room, roomOfBytes } from './query.ts'

export interface KeptPage {
  /** Encoded SignedEvents. */
  readonly events: readonly Uint8Array[]
  /** Where to go on; undefined: that was all. */
  readonly nextCursor: string | undefined
}

/** A page of events that wait no longer, the newest first. @throws MolochError BAD_CURSOR */
export async function keptPage(
  store: KeptEvents,
  cursor: string | undefined,
  limit: number,
  fits: Room<KeptRow> = roomOfBytes()
): Promise<KeptPage> {
  const pageSize = Math.min(Math.max(1, limit), MAX_PAGE_EVENTS)
  const events: Uint8Array[] = []
  let last = 0
  for await (const row of store.rows(cursor === undefined ? undefined : parseCursor(cursor))) {
    if (events.length === pageSize || !fits(row)) return { events, nextCursor: String(last) }
    events.push(row.bytes)
    last = row.place
  }
  return { events, nextCursor: undefined }
}

/** The place that the page before ended with. */
function parseCursor(cursor: string): number {
  if (/^[1-9]\d{0,13}$/.test(cursor)) return Number(cursor)
  throw new MolochError('BAD_CURSOR', `cursor ${JSON.stringify(cursor)} is none; accepted: a page's next_cursor`)
}
