import type { CheckedBlock } from '../chain/check-block.ts'
import { equalBytes } from '../codec/bytes.ts'
import { wireBytes } from './checking.ts'
import type { PeerFailure } from './events.ts'
import { WRITE_BLOCKS } from './policy/cut.ts'
import type { SyncLedger } from './types.ts'

/** Wire bytes of one atomic write, and so of one fsync: the batch is in memory a second time while it is written. */
const BATCH_BYTES = 4 * 1024 * 1024

export interface Written {
  readonly applied: number
  /** About the block after those. */
  readonly failure: PeerFailure | undefined
}

/** What the sender of `block` has in place of our tip: its certified block of that height, if it gives it. */
export type FindRival = (block: CheckedBlock) => Promise<CheckedBlock | undefined>

/**
 * Writes consecutive checked blocks in batches. A certified block on another parent than our tip means that finality is
 * broken: the ledger says so by itself, but only its rival at the tip's height shows who signed twice, so that goes first.
 * @throws what the ledger throws when it could not write; the batches before are written
 */
export async function writeRange(
  ledger: SyncLedger,
  blocks: readonly CheckedBlock[],
  findRival: FindRival
): Promise<Written> {
  let at = 0
  while (at < blocks.length) {
    const batch = nextBatch(blocks, at)
    const rival = isFork(ledger.tip, batch[0]) ? await findRival(batch[0] as CheckedBlock) : undefined
    const before = rival === undefined ? [] : [rival]
    const { failure } = await ledger.apply([...before, ...batch])
    if (failure !== undefined) {
      const applied = at + Math.max(0, failure.index - before.length)
      const { code, message } = failure.failure
      return { applied, failure: { code, message, height: blocks[applied]?.height ?? 0 } }
    }
    at += batch.length
  }
  return { applied: blocks.length, failure: undefined }
}

function isFork(tip: SyncLedger['tip'], block: CheckedBlock | undefined): boolean {
  return block !== undefined && block.height === tip.height + 1 && !equalBytes(block.header.parentHash, tip.hash)
}

/** Ends where a block is no child of the one before, too: they may be of two senders. */
function nextBatch(blocks: readonly CheckedBlock[], from: number): CheckedBlock[] {
  const batch: CheckedBlock[] = []
  let bytes = 0
  for (const block of blocks.slice(from, from + WRITE_BLOCKS)) {
    const parent = batch.at(-1)
    if (parent !== undefined && !equalBytes(block.header.parentHash, parent.hash)) break
    bytes += wireBytes(block)
    if (batch.length > 0 && bytes > BATCH_BYTES) break
    batch.push(block)
  }
  return batch
}
