import { type TopItem, TopKind } from '../codec/generated/snapshot.ts'
import {
  encodeEntries,
  entryBytes,
  hasPrefix,
  MAX_ENTRIES_BYTES,
  prefixBelow,
  recordsOf,
  wireEntry
} from './index-entries.ts'
import { HASH_BYTES } from './merkle.ts'
import type { StateEntry } from './state.ts'
import { subtreeHash } from './trie-bucket.ts'

/** An item of a top; with a CHUNK comes the encoded IndexChunk. */
export interface CutItem {
  readonly item: TopItem
  readonly data?: Uint8Array
}

/**
 * Cuts an index into the items of its top, in pre-order: the same for the same entries at every server. Holds the entries
 * of one chunk and one more.
 * @param entries all entries of the index in the order of key hashes
 */
export async function* cutIndex(entries: AsyncIterable<StateEntry>): AsyncGenerator<CutItem> {
  const window = new EntryWindow(entries[Symbol.asyncIterator]())
  try {
    yield* cutSubtree(window, new Uint8Array(HASH_BYTES), 0)
  } finally {
    await window.close()
  }
}

/** The entries that come next. */
class EntryWindow {
  readonly #source: AsyncIterator<StateEntry>
  #entries: StateEntry[] = []
  #ended = false

  constructor(source: AsyncIterator<StateEntry>) {
    this.#source = source
  }

  at(index: number): StateEntry | undefined {
    return this.#entries[index]
  }

  /** Reads one more, if there is one. */
  async more(): Promise<StateEntry | undefined> {
    if (this.#ended) return undefined
    const { done, value } = await this.#source.next()
    if (done === true) this.#ended = true
    else this.#entries.push(value)
    return done === true ? undefined : value
  }

  take(count: number): StateEntry[] {
    return this.#entries.splice(0, count)
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }
}

async function* cutSubtree(window: EntryWindow, prefix: Uint8Array, depth: number): AsyncGenerator<CutItem> {
  let count = 0
  for (let bytes = 0; ; count++) {
    const entry = window.at(count) ?? (await window.more())
    if (entry === undefined || !hasPrefix(entry.keyHash, prefix, depth)) break
    bytes += entryBytes(entry.key.byteLength, entry.count)
    if (count === 0 || bytes <= MAX_ENTRIES_BYTES) continue
    yield { item: itemOf(TopKind.NODE) }
    for (const side of [0, 1] as const) yield* cutSubtree(window, prefixBelow(prefix, depth, side), depth + 1)
    return
  }
  const entries = window.take(count)
  const [first] = entries
  if (first === undefined) yield { item: itemOf(TopKind.EMPTY) }
  else if (count === 1) yield { item: itemOf(TopKind.LEAF, wireEntry(first)) }
  else {
    const hash = subtreeHash(recordsOf(entries), depth) as Uint8Array<ArrayBuffer>
    yield { item: itemOf(TopKind.CHUNK, { hash }), data: encodeEntries(entries) }
  }
}

function itemOf(kind: TopKind, fields: Partial<TopItem> = {}): TopItem {
  const none = new Uint8Array(0)
  return { kind, key: none, count: 0, head: none, hash: none, ...fields }
}
