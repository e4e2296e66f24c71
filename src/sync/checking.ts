import type { PeerFailure } from './events.ts'
import type { Syncable, SyncItems } from './types.ts'

/** Wire bytes of one job, for blocks that are large. */
const JOB_BYTES = 1024 * 1024

export interface Checked<Item> {
  /** The good prefix. */
  readonly good: Item[]
  /** About the next one. */
  readonly failure: PeerFailure | undefined
}

/**
 * Checks consecutive items from `start` up: each by itself, and that it is for its height. A fault that the checker
 * deferred (seal, commit) is reported here and not left to the ledger: the item is bad whatever its links are, and a
 * peer that sends such must not fill the look-ahead with them.
 * @throws MolochError if the checker failed: nobody's item is bad
 */
export async function checkRange<Item extends Syncable>(
  items: SyncItems<Item>,
  start: number,
  frames: readonly Uint8Array[],
  certificateOnly = false
): Promise<Checked<Item>> {
  const jobs = split(frames, items.kind.job).map((job) => items.check(job, certificateOnly))
  const results = (await Promise.all(jobs)).flat()
  const good: Item[] = []
  for (const result of results) {
    const height = start + good.length
    if (!result.ok) return { good, failure: { ...result.failure, height } }
    const { item } = result
    if (item.height !== height) {
      const message = `a ${items.kind.noun} of height ${item.height} where ${height} was asked for`
      return { good, failure: { code: 'BAD_HEIGHT', message, height } }
    }
    if (item.deferred !== undefined) return { good, failure: { ...item.deferred, height } }
    good.push(item)
  }
  return { good, failure: undefined }
}

function split(frames: readonly Uint8Array[], most: number): Uint8Array[][] {
  const jobs: Uint8Array[][] = []
  let job: Uint8Array[] = []
  let bytes = 0
  for (const frame of frames) {
    if (job.length === most || (job.length > 0 && bytes + frame.byteLength > JOB_BYTES)) {
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
