import { type TopItem, TopKind } from '../codec/generated/snapshot.ts'
import { MAX_ENTRIES_BYTES, prefixBelow } from './index-entries.ts'
import { HASH_BYTES } from './merkle.ts'
import { PackedEntries } from './packed-entries.ts'
import { subtreeHash } from './trie-bucket.ts'

/** An item of a top; with a CHUNK comes the encoded IndexChunk, which is good until the next item is asked for. */
export interface CutItem {
  readonly item: TopItem
  readonly data?: Uint8Array
}

/** Adds the entries that come next in the order of key hashes, one or some; false: there are no more. */
export type ReadEntries = (into: PackedEntries) => Promise<boolean>

/**
 * Cuts an index into the items of its top, in pre-order: the same for the same entries at every server. Holds the entries
 * of one chunk and what was read with them.
 */
export async function* cutIndex(more: ReadEntries): AsyncGenerator<CutItem> {
  yield* cutSubtree(new PackedEntries(), more, new Uint8Array(HASH_BYTES), 0)
}

async function* cutSubtree(
  entries: PackedEntries,
  more: ReadEntries,
  prefix: Uint8Array,
  depth: number
): AsyncGenerator<CutItem> {
  let count = 0
  for (let bytes = 0; ; count++) {
    if (count === entries.count && !(await more(entries))) break
    if (!entries.hasPrefix(count, prefix, depth)) break
    bytes += entries.bytesOf(count)
    if (count === 0 || bytes <= MAX_ENTRIES_BYTES) continue
    yield { item: itemOf(TopKind.NODE) }
    for (const side of [0, 1] as const) yield* cutSubtree(entries, more, prefixBelow(prefix, depth, side), depth + 1)
    return
  }
  if (count === 0) yield { item: itemOf(TopKind.EMPTY) }
  else if (count === 1) yield { item: itemOf(TopKind.LEAF, entries.first()) }
  else {
    const hash = subtreeHash(entries.records(count), depth) as Uint8Array<ArrayBuffer>
    yield { item: itemOf(TopKind.CHUNK, { hash }), data: entries.encoded(count) }
  }
  entries.drop(count)
}

function itemOf(kind: TopKind, fields: Partial<TopItem> = {}): TopItem {
  const none = new Uint8Array(0)
  return { kind, key: none, count: 0, head: none, hash: none, ...fields }
}
