import { setImmediate as immediate } from 'node:timers/promises'
import { indexKeysOf, resourceKey } from '../chain/event.ts'
import type { StateIndex } from '../chain/state.ts'
import { equalBytes, utf8 } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'
import { MolochError } from '../error.ts'
import { KEY_COLUMNS } from '../store/event-rows.ts'
import type { HeightRange } from '../store/height-ranges.ts'
import { words } from '../store/keys.ts'
import { notHeld } from './proofs/proof-error.ts'
import type { ChainReader, FoundEvent } from './reader.ts'
import type { StateTries } from './state.ts'
import type { Stores } from './stores.ts'

/** All that is given must match. */
export interface EventFilter {
  /** Public key. */
  readonly actor?: Uint8Array | undefined
  readonly resource?: { readonly kind: string; readonly id: string } | undefined
  readonly resourceKind?: string | undefined
  readonly action?: string | undefined
  /** Heights, both included. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Newest first. */
  readonly reverse?: boolean | undefined
}

export interface EventPage {
  readonly events: readonly FoundEvent[]
  /** Where to go on; undefined: that was all. A page may be short, even empty, and have one: scans are bounded. */
  readonly nextCursor: string | undefined
}

export const MAX_PAGE_EVENTS = 1000
/** Events that are compared before others get their turn: a millisecond of the main loop. */
const COMPARED_A_TURN = 100

/** Takes an item into a page; false: there is no room, and the page ends before it. There is always for the first. */
export type Room<Item> = (item: Item) => boolean

/** Bytes of a page whose reader names no room: whoever asks for a page of the largest events must not fill memory. */
const MAX_PAGE_BYTES = 4 << 20

export function roomOfBytes(most = MAX_PAGE_BYTES): Room<Pick<FoundEvent, 'bytes'>> {
  let used = 0
  return ({ bytes }) => {
    const fits = used === 0 || used + bytes.byteLength <= most
    used += bytes.byteLength
    return fits
  }
}

/** What one page may cost, whatever is asked for and whoever asks. */
export interface ScanBounds {
  /** Rows of key prefixes that are scanned. */
  readonly rows: number
  /** Blocks that are read to compare their events. Who makes prefixes collide gets short pages, not a busy node. */
  readonly blocks: number
  /** Of rows and blocks together. */
  readonly bytes: number
}

/** Some tens of milliseconds. */
export const SCAN_BOUNDS: ScanBounds = { rows: 20_000, blocks: 500, bytes: 8 << 20 }

export interface QuerySources {
  readonly stores: Stores
  readonly reader: ChainReader
  readonly state: StateTries
  /** Height. */
  readonly tip: number
  readonly bounds: ScanBounds
  /** What of these heights is not held, ascending. */
  readonly missing: (from: number, to: number) => readonly HeightRange[]
  /** From this height up every block is held. */
  readonly earliest: number
}

interface Position {
  readonly height: number
  readonly index: number
}

/**
 * The page of events that match, from `cursor` on. It ends where blocks are not held: what is not complete never looks so.
 * @throws MolochError BAD_CURSOR; UNAVAILABLE if the next block to be looked at is not held
 */
export async function queryEvents(
  sources: QuerySources,
  filter: EventFilter,
  cursor: string | undefined,
  limit: number,
  fits: Room<FoundEvent> = roomOfBytes()
): Promise<EventPage> {
  const { stores, reader, state, bounds } = sources
  const reverse = filter.reverse === true
  const start = cursor === undefined ? undefined : parseCursor(cursor)
  let from = Math.max(1, filter.from ?? 1)
  let to = Math.min(sources.tip, filter.to ?? sources.tip)
  if (start !== undefined && reverse) to = Math.min(to, start.height)
  if (start !== undefined && !reverse) from = Math.max(from, start.height)
  const wanted = wantedKeys(filter)
  const events: FoundEvent[] = []
  if (from > to || (await anyAbsent(state, wanted))) return { events, nextCursor: undefined }
  const gap = sources.missing(from, to).at(reverse ? -1 : 0)
  if (gap !== undefined && (reverse ? gap.to === to : gap.from === from)) throw gapError(gap, sources.earliest)
  if (gap !== undefined && reverse) from = gap.to + 1
  if (gap !== undefined && !reverse) to = gap.from - 1
  const pageSize = Math.min(Math.max(1, limit), MAX_PAGE_EVENTS)
  let [scanned, read, bytesRead, compared] = [0, 0, 0, 0]
  for await (const { height, keys } of stores.eventRows.keysBetween(from, to, reverse)) {
    // The first is looked at in any case, or there would be no end.
    const isOver = scanned > 0 && bytesRead > bounds.bytes
    bytesRead += keys.byteLength
    if (++scanned > bounds.rows || isOver) return { events, nextCursor: cursorOf({ height, index: edge(reverse) }) }
    const candidates = matching(keys, wanted, reverse)
    if (candidates.length === 0) continue
    if (++read > bounds.blocks) return { events, nextCursor: cursorOf({ height, index: edge(reverse) }) }
    const block = (await reader.eventsAt(height)) ?? []
    for (const event of block) bytesRead += event.byteLength
    for (const index of candidates) {
      if (++compared % COMPARED_A_TURN === 0) await immediate()
      if (start !== undefined && isBefore({ height, index }, start, reverse)) continue
      const bytes = block[index]
      if (bytes === undefined || !matches(bytes, filter)) continue
      const found = { height, index, bytes }
      // One more than fits: so there is a next page for sure, and this is where it begins.
      if (events.length === pageSize || !fits(found)) return { events, nextCursor: cursorOf({ height, index }) }
      events.push(found)
    }
  }
  if (gap === undefined) return { events, nextCursor: undefined }
  return { events, nextCursor: cursorOf({ height: reverse ? gap.to : gap.from, index: edge(reverse) }) }
}

function gapError({ from, to }: HeightRange, earliest: number): Error {
  const blocks = from === to ? `block ${from}` : `blocks ${from} to ${to}`
  return notHeld(`the events of ${blocks} are`, earliest)
}

/** Whether one of the keys has no event at all: then no scan finds one. */
async function anyAbsent(state: StateTries, wanted: readonly WantedKey[]): Promise<boolean> {
  for (const { column, hash } of wanted) if ((await state.get(column, hash)) === undefined) return true
  return false
}

interface WantedKey {
  readonly column: StateIndex
  readonly hash: Uint8Array
  /** What the column's prefix must be. */
  readonly prefix: number
}

function wantedKeys(filter: EventFilter): WantedKey[] {
  const { actor, resource, action } = filter
  const wanted: WantedKey[] = []
  const want = (column: WantedKey['column'], key: Uint8Array): void => {
    const hash = sha256(key)
    wanted.push({ column, hash, prefix: words(hash)[0] as number })
  }
  if (actor !== undefined) want(0, actor)
  if (resource !== undefined) want(1, resourceKey(resource.kind, resource.id))
  if (action !== undefined) want(2, utf8(action))
  return wanted
}

/** Places in a block whose key prefixes are the wanted ones, in the order of the scan. */
function matching(keys: Uint8Array, wanted: readonly WantedKey[], reverse: boolean): number[] {
  const prefixes = words(keys)
  const count = prefixes.length / KEY_COLUMNS
  let found: number[] | undefined
  for (const { column, prefix } of wanted) {
    const start = column * count
    if (found !== undefined) found = found.filter((i) => prefixes[start + i] === prefix)
    else {
      found = []
      for (let i = 0; i < count; i++) if (prefixes[start + i] === prefix) found.push(i)
    }
  }
  found ??= Array.from({ length: count }, (_, i) => i)
  return reverse ? found.reverse() : found
}

/** The exact comparison. */
function matches(event: Uint8Array, filter: EventFilter): boolean {
  const [actor, resource, action] = indexKeysOf(event)
  const { resource: wanted, resourceKind: kind } = filter
  return (
    (filter.actor === undefined || equalBytes(actor, filter.actor)) &&
    (wanted === undefined || equalBytes(resource, resourceKey(wanted.kind, wanted.id))) &&
    (kind === undefined || equalBytes(resource.subarray(0, resource.indexOf(0)), utf8(kind))) &&
    (filter.action === undefined || equalBytes(action, utf8(filter.action)))
  )
}

/** Above every index, for a page that goes on backwards with a whole block. */
const LAST_INDEX = 0xffff

function edge(reverse: boolean): number {
  return reverse ? LAST_INDEX : 0
}

function isBefore(at: Position, start: Position, reverse: boolean): boolean {
  if (at.height !== start.height) return false
  return reverse ? at.index > start.index : at.index < start.index
}

function cursorOf({ height, index }: Position): string {
  return `${height}-${index}`
}

function parseCursor(cursor: string): Position {
  const [, height, index] = /^(\d{1,15})-(\d{1,5})$/.exec(cursor) ?? []
  if (height === undefined) {
    throw new MolochError('BAD_CURSOR', `cursor ${JSON.stringify(cursor)} is none; accepted: a page's next_cursor`)
  }
  return { height: Number(height), index: Number(index) }
}
