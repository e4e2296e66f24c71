import { HASH_BYTES } from '../chain/merkle.ts'
import { concatBytes, u64be } from '../codec/bytes.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { heightKey, heightOfKey, heightRange, TABLE, view } from './keys.ts'

/** The ids of one block's events; blocks without events have no row. */
export interface EventIdsRow {
  readonly height: number
  /** Of the block, Unix ms. */
  readonly timestamp: number
  /** 32·n bytes. */
  readonly ids: Uint8Array
}

/** Columns of a keys row, in the order of the three indexes of protocol §6. */
export const KEY_COLUMNS = 3
/** Of each key's SHA-256: one 32-bit word. One event in 4 billion is looked at in vain; whoever makes keys collide slows only a scan. */
const KEY_PREFIX_BYTES = 4

/**
 * Two rows a block. The ids are the leaves of the block's Merkle tree: with them the window, the event index and
 * proofs need no hashing. The key prefixes (12 bytes an event, one column an index) are what queries scan instead of
 * the blocks: a fiftieth of the bytes.
 */
export class EventRows {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** @param keyHashes 96·n bytes: hashes of each event's actor, resource and action keys */
  put(batch: WriteBatch, row: EventIdsRow, keyHashes: Uint8Array): void {
    if (row.ids.byteLength === 0) return
    batch.put(heightKey(TABLE.EVENT_IDS, row.height), packIds(row))
    batch.put(heightKey(TABLE.EVENT_KEYS, row.height), packKeys(keyHashes))
  }

  async ids(height: number): Promise<EventIdsRow | undefined> {
    const row = await this.#database.get(heightKey(TABLE.EVENT_IDS, height))
    return row && unpackIds(height, row)
  }

  keys(height: number): Promise<Uint8Array | undefined> {
    return this.#database.get(heightKey(TABLE.EVENT_KEYS, height))
  }

  /** Of blocks with events, heights `from` … `to`, both included, ascending; without `to` all above. */
  async *idsFrom(from: number, to?: number): AsyncGenerator<EventIdsRow> {
    const range = { ...heightRange(TABLE.EVENT_IDS, from, to), fillCache: false }
    for await (const [key, value] of this.#database.rows(range)) yield unpackIds(heightOfKey(key), value)
  }

  /** Key prefixes of blocks with events, heights `from` … `to`, both included. */
  async *keysBetween(from: number, to: number, reverse: boolean): AsyncGenerator<{ height: number; keys: Uint8Array }> {
    const range = { ...heightRange(TABLE.EVENT_KEYS, from, to), reverse, fillCache: false, readAheadBytes: 256 << 10 }
    for await (const [key, keys] of this.#database.rows(range)) yield { height: heightOfKey(key), keys }
  }

  /** Height and time of the first block at or above `height` that has events. */
  async firstFrom(height: number): Promise<{ height: number; timestamp: number } | undefined> {
    const row = await this.#database.first(heightRange(TABLE.EVENT_IDS, height))
    return row && unpackIds(heightOfKey(row[0]), row[1])
  }

  /** Number of ids rows and of keys rows; a walk over both. */
  async count(): Promise<number[]> {
    const counts: number[] = []
    for (const table of [TABLE.EVENT_IDS, TABLE.EVENT_KEYS] as const) {
      let count = 0
      for await (const _ of this.#database.rows({ ...heightRange(table, 0), fillCache: false })) count++
      counts.push(count)
    }
    return counts
  }
}

const TIMESTAMP_BYTES = 8

/** timestamp u64 ‖ ids */
export function packIds(row: EventIdsRow): Uint8Array {
  return concatBytes(u64be(row.timestamp), row.ids)
}

function unpackIds(height: number, row: Uint8Array): EventIdsRow {
  return { height, timestamp: Number(view(row).readBigUInt64BE(0)), ids: row.subarray(TIMESTAMP_BYTES) }
}

/** Column by column, so that a scan for one index reads neighbours. */
export function packKeys(keyHashes: Uint8Array): Uint8Array {
  const stride = KEY_COLUMNS * HASH_BYTES
  const count = keyHashes.byteLength / stride
  const row = new Uint8Array(KEY_COLUMNS * KEY_PREFIX_BYTES * count)
  for (let column = 0; column < KEY_COLUMNS; column++) {
    for (let i = 0; i < count; i++) {
      const from = i * stride + column * HASH_BYTES
      const to = (column * count + i) * KEY_PREFIX_BYTES
      for (let byte = 0; byte < KEY_PREFIX_BYTES; byte++) row[to + byte] = keyHashes[from + byte] as number
    }
  }
  return row
}
