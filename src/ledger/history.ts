import type { CheckedBlock } from '../chain/check-block.ts'
import type { CheckedHeader } from '../chain/check-header.ts'
import { encodeCommit } from '../chain/commit.ts'
import { ZERO_HASH } from '../chain/domain.ts'
import { type Failure, failure } from '../chain/failures.ts'
import { encodeHeader } from '../chain/header.ts'
import { leafHash } from '../chain/merkle.ts'
import { Mmr } from '../chain/mmr.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { joinBlock, joinFinalized, splitBlock, splitFinalized } from '../codec/raw.ts'
import { Emitter } from '../emitter.ts'
import type { WriteBatch } from '../store/batch.ts'
import { corrupt } from '../store/errors.ts'
import { type HeightRange, HeightRanges } from '../store/height-ranges.ts'
import type { StoredHistory } from '../store/meta-store.ts'
import type { Stores } from './stores.ts'
import { hasRow, trustedHeader } from './trusted-header.ts'
import { Turns } from './turns.ts'

export type { HeightRange } from '../store/height-ranges.ts'

export interface HistoryPut {
  /** Blocks of these that are on disk now, also those that were before. */
  readonly stored: number
  /** About the one after them. */
  readonly failure: Failure | undefined
}

/** A stored block whose certificate has to be verified. */
export interface Uncertified {
  readonly height: number
  /** The known hash of its block. */
  readonly hash: Uint8Array
  /** Encoded TrustedHeader; its mmr_root is zeros, as the hash is proven without it. */
  readonly header: Uint8Array
}

type HistoryEvents = {
  /** The earliest height is lower now. */
  moved: [earliest: number]
}

/** Bytes of blocks that are read to verify their certificates. */
const READ_AHEAD_BYTES = 1 << 20

/**
 * The blocks below a checkpoint, and the only writer of them. Their hashes are known before they come, so they are
 * stored in any order, proven by their hashes; seals and commits are not under the hash, and from `earliest` up they are
 * verified too. What is held is on disk in the batch of the blocks themselves: nothing is fetched again after a crash.
 */
export class History extends Emitter<HistoryEvents> {
  readonly #stores: Stores
  readonly #held: HeightRanges
  /** Undefined: there is no history to fill in. */
  #base: number | undefined
  #earliest: number
  readonly #turns = new Turns()

  private constructor(stores: Stores, earliest: number, stored: StoredHistory | undefined) {
    super()
    this.#stores = stores
    this.#earliest = earliest
    this.#base = stored?.base ?? (earliest > 1 ? earliest : undefined)
    this.#held = new HeightRanges(stored?.held)
  }

  /** Loads the event index too, which has to know what is held. */
  static async open(stores: Stores): Promise<History> {
    const earliest = await stores.meta.earliest()
    const stored = await stores.meta.history()
    const history = new History(stores, earliest, stored)
    const covered = new HeightRanges(stored?.held)
    if (stored !== undefined && stored.base > earliest) covered.add(earliest, stored.base - 1)
    await stores.eventIndex.load(stored?.base, covered)
    return history
  }

  /** From here up every block is held, with its certificate verified. */
  get earliest(): number {
    return this.#earliest
  }

  /** Blocks from here up did not come as history; undefined: all history is held and was checked. */
  get base(): number | undefined {
    return this.#base
  }

  /** Heights below the earliest whose blocks are held. */
  get held(): readonly HeightRange[] {
    return this.#held.ranges
  }

  /** How many those are. */
  get heldCount(): number {
    return this.#held.size
  }

  /** What is not held of `from` … `to`, ascending. */
  missing(from: number, to: number): HeightRange[] {
    return this.#held.missing(from, Math.min(to, this.#earliest - 1))
  }

  /** The heights right below the earliest that are held: the next to be certified. */
  get uncertified(): HeightRange | undefined {
    return this.#held.find(this.#earliest - 1)
  }

  /**
   * Stores blocks of heights `from` and up, one after another, as far as they are the ones whose hashes are known. They
   * are on disk, in one atomic batch, when this resolves. Calls wait for each other.
   * @throws MolochError STORE_FAILED, STORE_CORRUPT
   */
  put(from: number, blocks: readonly CheckedBlock[]): Promise<HistoryPut> {
    return this.#turns.take(async () => {
      const known = await this.#hashes(from, from + blocks.length - 1)
      const bad = blocks.findIndex((block, at) => historyFailure(block, from + at, known[at]) !== undefined)
      const good = bad < 0 ? blocks : blocks.slice(0, bad)
      const fault = bad < 0 ? undefined : historyFailure(blocks[bad] as CheckedBlock, from + bad, known[bad])
      if (good.length > 0) await this.#write(from, good)
      return { stored: good.length, failure: fault }
    })
  }

  /** Known hashes of blocks. @throws MolochError STORE_CORRUPT */
  async #hashes(from: number, to: number): Promise<Uint8Array[]> {
    const hashes: Uint8Array[] = []
    for await (const hash of this.#stores.mmr.blockHashes(from, to)) hashes.push(hash)
    if (hashes.length === to - from + 1) return hashes
    throw corrupt(this.#stores.database.path, `MMR leaves are missing between ${from} and ${to}`)
  }

  async #write(from: number, blocks: readonly CheckedBlock[]): Promise<void> {
    const { database, blocks: rows, headers, eventRows, eventIndex } = this.#stores
    const hashes = blocks.map(({ hash }) => hash)
    const roots = await this.#rootsAfter(from, hashes)
    const batch = database.batch()
    const held = new HeightRanges(this.#held.ranges)
    for (const gap of this.missing(from, from + blocks.length - 1)) {
      const added = blocks.slice(gap.from - from, gap.to - from + 1)
      for (const { height, hash, blockBytes, commitBytes, header, eventIds, keyHashes } of added) {
        const parts = { block: blockBytes, commit: commitBytes }
        rows.put(batch, height, hash, joinFinalized(parts.block, parts.commit))
        const trusted = trustedHeader(parts, roots[height - from] as Uint8Array)
        if (hasRow(trusted, parts)) headers.put(batch, height, trusted)
        eventRows.put(batch, { height, timestamp: header.timestamp, ids: eventIds }, keyHashes)
      }
      eventIndex.history.add(
        batch,
        added.map(({ height, eventIds }) => ({ height, ids: eventIds }))
      )
      held.add(gap.from, gap.to)
    }
    if (batch.operations === 0) return batch.discard()
    this.#keep(batch, held)
    await database.write(batch)
    eventIndex.history.written()
    for (const { from: first, to } of held.ranges) this.#held.add(first, to)
  }

  /** The root over all block hashes up to each of these, which are of heights `from` and up. */
  async #rootsAfter(from: number, hashes: readonly Uint8Array[]): Promise<Uint8Array[]> {
    const mmr = Mmr.from(from, await this.#stores.mmr.peaks(from))
    return hashes.map((hash) => {
      mmr.append(leafHash(hash))
      return mmr.root()
    })
  }

  /** The topmost held heights that are not certified, at most `count` of them, ascending. */
  async readUncertified(count: number): Promise<Uncertified[]> {
    const range = this.uncertified
    if (range === undefined) return []
    const from = Math.max(range.from, range.to - count + 1)
    const known = await this.#hashes(from, range.to)
    const read: Uncertified[] = []
    for await (const { height, bytes } of this.#stores.blocks.range(from, range.to, READ_AHEAD_BYTES)) {
      const header = trustedHeader(splitFinalized(bytes), ZERO_HASH)
      read.push({ height, hash: known[height - from] as Uint8Array, header })
    }
    if (read.length === known.length) return read
    throw corrupt(this.#stores.database.path, `blocks are missing between ${from} and ${range.to}`)
  }

  /** The certificates from `height` up are verified: they are served from now on. */
  certified(height: number): Promise<void> {
    return this.#turns.take(async () => {
      if (height >= this.#earliest) return
      const { database, meta, eventIndex } = this.#stores
      const batch = database.batch()
      const held = new HeightRanges(this.#held.ranges)
      held.dropFrom(height)
      meta.setEarliest(batch, height)
      this.#keep(batch, held)
      if (height === 1) eventIndex.history.finish(batch)
      await database.write(batch)
      eventIndex.history.written()
      this.#held.dropFrom(height)
      this.#earliest = height
      this.emit('moved', height)
    })
  }

  /**
   * Takes seal and commit of a verified header (no `deferred` fault) of a stored block in place of what came with it.
   * @throws TypeError if it is of another block: the caller's fault
   */
  replaceCertificate({ height, hash, header, seal, commit }: CheckedHeader): Promise<void> {
    return this.#turns.take(async () => {
      const { database, blocks, headers, mmr } = this.#stores
      const [known, bytes] = await Promise.all([mmr.blockHash(height), blocks.get(height)])
      if (known === undefined || bytes === undefined || !equalBytes(known, hash)) {
        throw new TypeError(`the certificate is not of the block ${height} that is stored`)
      }
      const { events } = splitBlock(splitFinalized(bytes).block)
      const batch = database.batch()
      const parts = { block: joinBlock(encodeHeader(header), seal, events), commit: encodeCommit(commit) }
      blocks.put(batch, height, hash, joinFinalized(parts.block, parts.commit))
      const [root] = await this.#rootsAfter(height, [hash])
      const trusted = trustedHeader(parts, root as Uint8Array)
      // Another number of signatures may change whether it has a row: one that is there is never left as it was.
      if (hasRow(trusted, parts) || (await headers.get(height)) !== undefined) headers.put(batch, height, trusted)
      await database.write(batch)
    })
  }

  /** Encoded FinalizedBlocks of heights 1 … `to`, ascending, some at a time, for whoever checks what they come to. */
  async *replay(to: number): AsyncGenerator<Uint8Array[]> {
    let run: Uint8Array[] = []
    let bytes = 0
    for await (const row of this.#stores.blocks.range(1, to, READ_AHEAD_BYTES)) {
      run.push(row.bytes)
      bytes += row.bytes.byteLength
      if (bytes < READ_AHEAD_BYTES) continue
      yield run
      run = []
      bytes = 0
    }
    if (run.length > 0) yield run
  }

  /** All of it is held, certified and checked against the state. */
  finish(): Promise<void> {
    return this.#turns.take(async () => {
      const batch = this.#stores.database.batch()
      this.#stores.meta.delHistory(batch)
      await this.#stores.database.write(batch)
      this.#base = undefined
    })
  }

  #keep(batch: WriteBatch, held: HeightRanges): void {
    this.#stores.meta.setHistory(batch, { base: this.#base as number, held: held.ranges })
  }

  /** Takes nothing more in. @returns when what is under way is done */
  close(): Promise<void> {
    return this.#turns.close()
  }
}

/** Whether it is the block of that height whose hash is known, with the events that belong to it. */
function historyFailure(block: CheckedBlock, height: number, known: Uint8Array | undefined): Failure | undefined {
  if (block.checked !== 'history') throw new TypeError(`block ${block.height} was not checked as history`)
  if (block.height !== height) {
    return failure('BAD_HEIGHT', `a block of height ${block.height} where ${height} was asked for`)
  }
  if (known === undefined || !equalBytes(block.hash, known)) {
    const must = known === undefined ? 'none' : toHex(known)
    return failure('BAD_BLOCK_HASH', `block ${height} is ${toHex(block.hash)}; accepted: ${must}`)
  }
  return block.deferred
}
