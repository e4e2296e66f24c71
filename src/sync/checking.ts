import type { CheckedBlock } from '../chain/check-block.ts'
import type { PeerFailure } from './events.ts'
import type { SyncChecker } from './types.ts'

/** Blocks of one job for the checker: several jobs a range, so that all threads work on the lowest one. */
const JOB_BLOCKS = 16
/** Wire bytes of one job, for blocks that are large. */
const JOB_BYTES = 1024 * 1024

export interface Checked {
  /** The good prefix. */
  readonly blocks: CheckedBlock[]
  /** About the next one. */
  readonly failure: PeerFailure | undefined
}

/**
 * Checks consecutive FinalizedBlocks from `start` up: each by itself, and that it is for its height. A fault that the
 * checker deferred (seal, commit) is reported here and not left to the ledger: the block is bad whatever its links are,
 * and a peer that sends such blocks must not fill the look-ahead with them.
 * @throws MolochError if the checker failed: nobody's block is bad
 */
export async function checkRange(
  checker: SyncChecker,
  start: number,
  frames: readonly Uint8Array[],
  verifyEvents: boolean
): Promise<Checked> {
  const jobs = split(frames).map((job) => checker.check(job, { verifyEvents }))
  const results = (await Promise.all(jobs)).flat()
  const blocks: CheckedBlock[] = []
  for (const result of results) {
    const height = start + blocks.length
    if (!result.ok) return { blocks, failure: { ...result.failure, height } }
    const { block } = result
    if (block.height !== height) {
      const message = `a block of height ${block.height} where ${height} was asked for`
      return { blocks, failure: { code: 'BAD_HEIGHT', message, height } }
    }
    if (block.deferred !== undefined) return { blocks, failure: { ...block.deferred, height } }
    blocks.push(block)
  }
  return { blocks, failure: undefined }
}

function split(frames: readonly Uint8Array[]): Uint8Array[][] {
  const jobs: Uint8Array[][] = []
  let job: Uint8Array[] = []
  let bytes = 0
  for (const frame of frames) {
    if (job.length === JOB_BLOCKS || (job.length > 0 && bytes + frame.byteLength > JOB_BYTES)) {
      jobs.push(job)
      job = []
      bytes = 0
    }
    job.push(frame)
    bytes += frame.byteLength
  }
  if (job.length > 0) jobs.push(job)
  return jobs
}

/** What a block came as. */
export function wireBytes(block: CheckedBlock): number {
  return block.blockBytes.byteLength + block.commitBytes.byteLength
}
