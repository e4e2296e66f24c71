import { IndexChunk, type IndexEntry as WireEntry } from '../codec/generated/snapshot.ts'
import { entryBodyBytes, entryBytes, hasPrefix } from './index-entries.ts'
import { HASH_BYTES } from './merkle.ts'
import { RECORD_BYTES, readCount, readHead } from './trie-record.ts'

/** Entries that there is room for at first. */
const ROOM = 1024

/**
 * Entries of an index one after another in two buffers that are used again and again: as records (trie-record.ts), for
 * hashing, and as the bytes of an IndexChunk. A million entries as objects, and each chunk in a buffer of its own, would
 * fill memory sooner than the collector comes.
 */
export class PackedEntries {
  #records = new Uint8Array(ROOM * RECORD_BYTES)
  #wire = new Uint8Array(ROOM * entryBytes(HASH_BYTES, 1))
  /** Where in `#wire` each entry ends. */
  readonly #ends: number[] = []

  get count(): number {
    return this.#ends.length
  }

  /** Adds an entry: its record is at `at` of `records`. */
  push(key: Uint8Array, records: Uint8Array, at: number): void {
    const { count } = this
    const start = this.#ends[count - 1] ?? 0
    this.#records = withRoom(this.#records, (count + 1) * RECORD_BYTES)
    this.#wire = withRoom(this.#wire, start + entryBytes(key.byteLength, readCount(records, at)))
    this.#records.set(records.subarray(at, at + RECORD_BYTES), count * RECORD_BYTES)
    this.#ends.push(writeEntryField(this.#wire, start, key, records, at))
  }

  /** How long an entry is in an IndexChunk. */
  bytesOf(entry: number): number {
    return (this.#ends[entry] as number) - (this.#ends[entry - 1] ?? 0)
  }

  /** Whether the key hash of an entry begins with the first `depth` bits of `prefix`. */
  hasPrefix(entry: number, prefix: Uint8Array, depth: number): boolean {
    return hasPrefix(this.#records, prefix, depth, entry * RECORD_BYTES)
  }

  /** The records of the first entries; good until the next `push` or `drop`. */
  records(count: number): Uint8Array {
    return this.#records.subarray(0, count * RECORD_BYTES)
  }

  /** The encoded IndexChunk of the first entries; good until the next `push` or `drop`. */
  encoded(count: number): Uint8Array<ArrayBuffer> {
    return this.#wire.subarray(0, this.#ends[count - 1] ?? 0)
  }

  /** The first entry. A copy. */
  first(): WireEntry {
    return IndexChunk.decode(this.encoded(1).slice()).entries[0] as WireEntry
  }

  /** Removes the first entries. */
  drop(count: number): void {
    const bytes = this.#ends[count - 1] ?? 0
    const end = this.#ends.at(-1) ?? 0
    this.#records.copyWithin(0, count * RECORD_BYTES, this.count * RECORD_BYTES)
    this.#wire.copyWithin(0, bytes, end)
    this.#ends.splice(0, count)
    for (let i = 0; i < this.#ends.length; i++) this.#ends[i] = (this.#ends[i] as number) - bytes
  }
}

function withRoom(buffer: Uint8Array<ArrayBuffer>, bytes: number): Uint8Array<ArrayBuffer> {
  if (bytes <= buffer.byteLength) return buffer
  const larger = new Uint8Array(Math.max(bytes, 2 * buffer.byteLength))
  larger.set(buffer)
  return larger
}

/** An element of IndexChunk.entries: key, count and head, none of them empty. @returns where it ends */
function writeEntryField(out: Uint8Array, at: number, key: Uint8Array, records: Uint8Array, record: number): number {
  const count = readCount(records, record)
  let place = at
  out[place++] = 0x0a
  place = writeVarint(out, place, entryBodyBytes(key.byteLength, count))
  out[place++] = 0x0a
  place = writeVarint(out, place, key.byteLength)
  out.set(key, place)
  place += key.byteLength
  out[place++] = 0x10
  place = writeVarint(out, place, count)
  out[place++] = 0x1a
  out[place++] = HASH_BYTES
  out.set(readHead(records, record), place)
  return place + HASH_BYTES
}

function writeVarint(out: Uint8Array, at: number, value: number): number {
  let place = at
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) out[place++] = 128 + (rest % 128)
  out[place++] = rest
  return place
}
