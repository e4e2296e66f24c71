import { utf8 } from '../codec/bytes.ts'
import type { WriteBatch } from './batch.ts'
import type { Database, View } from './database.ts'
import type { HeightRange } from './height-ranges.ts'
import { bytesKey, HEIGHT_BYTES, heightBytes, readHeight, TABLE, view as viewOf } from './keys.ts'

/** What a database is filled with: a full node's blocks, or a light node's headers. */
export type Contents = 'blocks' | 'headers'

export interface Identity {
  readonly format: number
  readonly genesisHash: Uint8Array
  readonly contents: Contents
}

export interface StoredTip {
  readonly height: number
  readonly hash: Uint8Array
}

/** How far the state on disk goes: it covers the events of blocks 1 … height. */
export interface StoredStateMark {
  readonly height: number
  readonly eventTotal: number
}

/** History below a checkpoint that is being filled in. */
export interface StoredHistory {
  /** Blocks from here up came with the checkpoint or after it. */
  readonly base: number
  /** Heights below the earliest whose blocks are held, proven by their hashes alone. */
  readonly held: readonly HeightRange[]
}

const IDENTITY = bytesKey(TABLE.META, utf8('identity'))
const CONTENTS = bytesKey(TABLE.META, utf8('contents'))
const TIP = bytesKey(TABLE.META, utf8('tip'))
const EARLIEST = bytesKey(TABLE.META, utf8('earliest'))
const STATE = bytesKey(TABLE.META, utf8('state'))
const HISTORY = bytesKey(TABLE.META, utf8('history'))

/** The few rows that say what the database is and how far it goes. */
export class MetaStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Undefined: a database that holds nothing yet. */
  async identity(): Promise<Identity | undefined> {
    const row = await this.#database.get(IDENTITY)
    if (row === undefined) return undefined
    // Databases of blocks were there before there were others, and say nothing.
    const contents = (await this.#database.get(CONTENTS)) === undefined ? 'blocks' : 'headers'
    return { format: viewOf(row).readUInt32BE(0), genesisHash: row.subarray(4), contents }
  }

  setIdentity(batch: WriteBatch, identity: Identity): void {
    const format = Buffer.alloc(4)
    format.writeUInt32BE(identity.format)
    batch.put(IDENTITY, Buffer.concat([format, identity.genesisHash]))
    if (identity.contents === 'headers') batch.put(CONTENTS, utf8(identity.contents))
  }

  /** Undefined: no block yet but block 0, which the genesis implies. */
  async tip(): Promise<StoredTip | undefined> {
    const row = await this.#database.get(TIP)
    return row && { height: readHeight(row), hash: row.subarray(HEIGHT_BYTES) }
  }

  setTip(batch: WriteBatch, tip: StoredTip): void {
    batch.put(TIP, Buffer.concat([heightBytes(tip.height), tip.hash]))
  }

  async stateMark(view?: View): Promise<StoredStateMark> {
    const row = await this.#database.get(STATE, view)
    return row ? { height: readHeight(row), eventTotal: readHeight(row, HEIGHT_BYTES) } : { height: 0, eventTotal: 0 }
  }

  setStateMark(batch: WriteBatch, mark: StoredStateMark): void {
    batch.put(STATE, Buffer.concat([heightBytes(mark.height), heightBytes(mark.eventTotal)]))
  }

  /** The lowest height from which on every block is held with its certificate verified; 1 unless the node warped. */
  async earliest(): Promise<number> {
    const row = await this.#database.get(EARLIEST)
    return row === undefined ? 1 : readHeight(row)
  }

  setEarliest(batch: WriteBatch, height: number): void {
    if (height === 1) batch.del(EARLIEST)
    else batch.put(EARLIEST, heightBytes(height))
  }

  /** Undefined: nothing has been filled in, or all of it has and was checked. */
  async history(): Promise<StoredHistory | undefined> {
    const row = await this.#database.get(HISTORY)
    if (row === undefined) return undefined
    const held: HeightRange[] = []
    for (let at = HEIGHT_BYTES; at < row.byteLength; at += 2 * HEIGHT_BYTES) {
      held.push({ from: readHeight(row, at), to: readHeight(row, at + HEIGHT_BYTES) })
    }
    return { base: readHeight(row), held }
  }

  setHistory(batch: WriteBatch, { base, held }: StoredHistory): void {
    const heights = [base, ...held.flatMap(({ from, to }) => [from, to])]
    batch.put(HISTORY, Buffer.concat(heights.map(heightBytes)))
  }

  delHistory(batch: WriteBatch): void {
    batch.del(HISTORY)
  }
}
