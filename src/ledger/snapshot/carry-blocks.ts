import { type CheckedBlock, checkHistory } from '../../chain/check-block.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { messageOf } from '../../error.ts'
import { COPY_BYTES } from '../../store/copy-rows.ts'
import { isDamageOf } from '../../store/errors.ts'
import { type HeightRange, HeightRanges } from '../../store/height-ranges.ts'
import { History } from '../history.ts'
import type { Stores } from '../stores.ts'

export interface CarryOptions {
  readonly genesis: Genesis
  /** Ends it after a batch; what is there stays, and is not carried again. */
  readonly signal?: AbortSignal | undefined
  /** Called after each batch with how many blocks are there now, and how many are to be at the end. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

export interface Carried {
  /** Blocks that the new database holds now and did not begin with. */
  readonly blocks: number
  /** Why others could not be read. */
  readonly damage: string | undefined
}

/**
 * Carries the blocks of a database over into one that began at a snapshot above them, as history that came from a peer
 * would: checked, but for signatures, and with rows that are made from them. What is not the block whose hash the snapshot
 * proves stays behind, and so does what can't be read: backfill fetches it. It can be cut off anywhere.
 * @throws MolochError with a StoreErrorCode; the signal's reason
 */
export async function carryBlocks(from: Stores, to: Stores, options: CarryOptions): Promise<Carried> {
  const { genesis, signal, onProgress } = options
  signal?.throwIfAborted()
  const history = await History.open(to)
  const gaps = (await heldIn(from)).flatMap((range) => history.missing(range.from, range.to))
  const total = history.heldCount + gaps.reduce((sum, gap) => sum + gap.to - gap.from + 1, 0)
  let damage: string | undefined
  for (const gap of gaps) {
    try {
      for await (const run of checkedRuns(from, gap, genesis)) {
        await putGood(history, run)
        onProgress?.(history.heldCount, total)
        signal?.throwIfAborted()
      }
    } catch (error) {
      if (!isDamageOf(from.database.path, error)) throw error
      damage ??= messageOf(error)
    }
  }
  return { blocks: history.heldCount, damage }
}

async function heldIn({ meta }: Stores): Promise<readonly HeightRange[]> {
  const held = new HeightRanges((await meta.history())?.held)
  const tip = (await meta.tip())?.height ?? 0
  const earliest = await meta.earliest()
  if (tip >= earliest) held.add(earliest, tip)
  return held.ranges
}

/** Blocks without a fault of their own that follow one another, about as many as are read at once. */
async function* checkedRuns(from: Stores, gap: HeightRange, genesis: Genesis): AsyncGenerator<CheckedBlock[]> {
  let run: CheckedBlock[] = []
  let size = 0
  for await (const { height, bytes } of from.blocks.range(gap.from, gap.to, COPY_BYTES)) {
    const block = goodBlock(genesis, height, bytes)
    if (run.length > 0 && (run.at(-1)?.height !== height - 1 || size >= COPY_BYTES)) {
      yield run
      run = []
      size = 0
    }
    if (block === undefined) continue
    run.push(block)
    size += bytes.byteLength
  }
  if (run.length > 0) yield run
}

function goodBlock(genesis: Genesis, height: number, bytes: Uint8Array): CheckedBlock | undefined {
  const result = checkHistory(genesis, bytes)
  return result.ok && result.block.height === height && result.block.deferred === undefined ? result.block : undefined
}

/** Stores those whose hashes are known, of blocks that follow one another. */
async function putGood(history: History, run: readonly CheckedBlock[]): Promise<void> {
  for (let at = 0; at < run.length; ) {
    const rest = run.slice(at)
    const { stored } = await history.put((rest[0] as CheckedBlock).height, rest)
    at += stored + 1
  }
}
