import { blockHash } from '../chain/domain.ts'
import type { Genesis } from '../chain/genesis.ts'
import { equalBytes } from '../codec/bytes.ts'
import { Header } from '../codec/generated/chain.ts'
import { headerOf, splitFinalized } from '../codec/raw.ts'
import { COPY_BYTES, copyRows } from '../store/copy-rows.ts'
import { type HeightRange, HeightRanges } from '../store/height-ranges.ts'
import { heightRange, TABLE } from '../store/keys.ts'
import type { StoredHistory } from '../store/meta-store.ts'
import type { Stores } from './stores.ts'

/** What follows from single blocks, beside their own rows. */
const BLOCK_TABLES = [TABLE.HEADER, TABLE.EVENT_IDS, TABLE.EVENT_KEYS] as const

export interface CarryOptions {
  readonly genesis: Genesis
  /** Ends it after a batch; what is there stays, and is not copied again. */
  readonly signal?: AbortSignal | undefined
  /** Called after each batch with how many blocks are there now, and how many are to be at the end. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/**
 * Copies the blocks of a database into one that began at a snapshot above them, as history that is held and whose
 * certificates are not verified: backfill needs to fetch none of them. Each is the block whose hash the snapshot proves;
 * what is not stays behind. Every batch says what is held with it, so that it can be cut off anywhere.
 * @returns how many blocks the new database holds now that it did not begin with
 * @throws MolochError with a StoreErrorCode; the signal's reason
 */
export async function carryBlocks(from: Stores, to: Stores, options: CarryOptions): Promise<number> {
  options.signal?.throwIfAborted()
  const { history, held } = await historyOf(to)
  const wanted = await heldIn(from)
  wanted.dropFrom(history.base)
  const gaps = wanted.ranges.flatMap((range) => held.missing(range.from, range.to))
  const total = held.size + gaps.reduce((sum, gap) => sum + gap.to - gap.from + 1, 0)
  for (const gap of gaps) {
    for await (const piece of copiedPieces(from, to, gap, history.base, held, options)) {
      held.add(piece.from, piece.to)
      options.onProgress?.(held.size, total)
      options.signal?.throwIfAborted()
    }
  }
  await carrySegments(from, to, held, options.signal)
  return held.size
}

async function historyOf({ meta }: Stores): Promise<{ history: StoredHistory; held: HeightRanges }> {
  const history = (await meta.history()) ?? { base: await meta.earliest(), held: [] }
  return { history, held: new HeightRanges(history.held) }
}

async function heldIn({ meta }: Stores): Promise<HeightRanges> {
  const held = new HeightRanges((await meta.history())?.held)
  const tip = (await meta.tip())?.height ?? 0
  const earliest = await meta.earliest()
  if (tip >= earliest) held.add(earliest, tip)
  return held
}

/** Heights that follow one another, each time they are on disk. */
async function* copiedPieces(
  from: Stores,
  to: Stores,
  gap: HeightRange,
  base: number,
  held: HeightRanges,
  { genesis }: CarryOptions
): AsyncGenerator<HeightRange> {
  const known = to.mmr.blockHashes(gap.from, gap.to)
  let at = gap.from
  let piece: HeightRange | undefined
  let batch = to.database.batch()
  const write = async (copied: HeightRange): Promise<HeightRange> => {
    for (const table of BLOCK_TABLES) {
      const rows = from.database.rows({ ...heightRange(table, copied.from, copied.to), fillCache: false })
      for await (const [key, value] of rows) batch.put(key, value)
    }
    const ranges = new HeightRanges(held.ranges)
    ranges.add(copied.from, copied.to)
    to.meta.setHistory(batch, { base, held: ranges.ranges })
    const full = batch
    batch = to.database.batch()
    await to.database.write(full)
    piece = undefined
    return copied
  }
  try {
    for await (const { height, bytes } of from.blocks.range(gap.from, gap.to, COPY_BYTES)) {
      for (; at < height; at++) await known.next()
      const hash = (await known.next()).value as Uint8Array | undefined
      at++
      const good = hash !== undefined && isBlock(genesis, bytes, hash)
      if (piece !== undefined && (!good || piece.to !== height - 1 || batch.bytes >= COPY_BYTES))
        yield await write(piece)
      if (!good) continue
      to.blocks.put(batch, height, hash, bytes)
      piece = { from: piece?.from ?? height, to: height }
    }
    if (piece !== undefined) yield await write(piece)
  } finally {
    await batch.discard()
    await known.return(undefined)
  }
}

/** Whether the header of a FinalizedBlock is that of the block with this hash; a broken disk gives anything. */
function isBlock(genesis: Genesis, finalized: Uint8Array, hash: Uint8Array): boolean {
  try {
    return equalBytes(blockHash(genesis.hash, Header.decode(headerOf(splitFinalized(finalized).block))), hash)
  } catch {
    return false
  }
}

/** Of the event index what is about heights that are all held; the rest is gathered anew when the database opens. */
async function carrySegments(from: Stores, to: Stores, held: HeightRanges, signal?: AbortSignal): Promise<void> {
  const segments = await from.eventIndex.segments((await from.meta.history())?.base)
  const whole = segments.filter((segment) => held.missing(segment.from, segment.to).length === 0)
  await copyRows(from.eventIndex.segmentRows(whole), to.database, signal)
}
