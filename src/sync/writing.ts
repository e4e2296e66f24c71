import type { CheckedBlock } from '../chain/check-block.ts'
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

/**
 * Writes consecutive checked blocks in batches.
 * @throws what the ledger throws when it could not write; the batches before are written
 */
export async function writeRange(ledger: SyncLedger, blocks: readonly CheckedBlock[]): Promise<Written> {
  let at = 0
  while (at < blocks.length) {
    const batch = nextBatch(blocks, at)
    const { failure } = await ledger.apply(batch)
    if (failure !== undefined) {
      const applied = at + failure.index
      const { code, message } = failure.failure
      return { applied, failure: { code, message, height: blocks[applied]?.height ?? 0 } }
    }
    at += batch.length
  }
  return { applied: blocks.length, failure: undefined }
}

function nextBatch(blocks: readonly CheckedBlock[], from: number): CheckedBlock[] {
  const batch: CheckedBlock[] = []
  let bytes = 0
  for (const block of blocks.slice(from, from + WRITE_BLOCKS)) {
    bytes += wireBytes(block)
    if (batch.length > 0 && bytes > BATCH_BYTES) break
    batch.push(block)
  }
  return batch
}
