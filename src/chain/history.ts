import { concatBytes, equalBytes } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'
import { ZERO_HASH } from './domain.ts'
import { HASH_BYTES } from './merkle.ts'
import type { IndexEntry } from './trie-record.ts'

/** Ids in a page of a key's events: 128 KiB, which a peer may send without being asked to wait. */
export const MAX_PAGE_IDS = 4096

const LINK = Uint8Array.of(0x02)

/**
 * Ids of the page that ends with a key's event number `count` (from 1): all down to a multiple of MAX_PAGE_IDS. So there is
 * one way to cut a history, pages of different peers fit together, and nobody can stretch one over more of them.
 */
export function pageLength(count: number): number {
  return ((count - 1) % MAX_PAGE_IDS) + 1
}

/** Events of one key that follow one another, and the head before the first of them. */
export interface HistoryPage {
  readonly prevHead: Uint8Array
  readonly ids: readonly Uint8Array[]
}

/** The head after these events: protocol §6. */
export function foldHead({ prevHead, ids }: HistoryPage): Uint8Array {
  return ids.reduce((head, id) => sha256(concatBytes(LINK, head, id)), prevHead)
}

/**
 * Whether a page ends with the last of a key's events that is not known yet. Pages run backwards, from what a KeyProof
 * says to count 0 and the head of zeros: then the list is complete. Takes what a peer sent: nothing makes it throw.
 * @param known count and head of the events up to the end of the page
 * @returns count and head of those before the page; undefined: the page is wrong
 */
export function checkHistoryPage(known: IndexEntry, page: HistoryPage): IndexEntry | undefined {
  const { prevHead, ids } = page
  const count = known.count - ids.length
  const plausible = ids.length > 0 && ids.length <= MAX_PAGE_IDS && count >= 0
  if (!plausible || ![prevHead, ...ids].every((hash) => hash.byteLength === HASH_BYTES)) return undefined
  if (!equalBytes(foldHead(page), known.head) || (count === 0) !== equalBytes(prevHead, ZERO_HASH)) return undefined
  return { count, head: prevHead }
}
