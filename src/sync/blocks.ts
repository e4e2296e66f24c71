import type { CheckedBlock, CheckResult } from '../chain/check-block.ts'
import { BLOCKS } from './policy/kind.ts'
import type { Fetch, SyncItems } from './types.ts'

/** What full sync needs of the verify pool. */
export interface BlockChecker {
  check(frames: readonly Uint8Array[], options: { readonly verifyEvents: boolean }): Promise<CheckResult[]>
}

/**
 * Full sync: FinalizedBlocks.
 * @param verifyEvents check event signatures again, which the validators did before they voted
 */
export function blockItems(checker: BlockChecker, fetch: Fetch, verifyEvents = false): SyncItems<CheckedBlock> {
  return {
    kind: BLOCKS,
    fetch,
    check: async (frames, certificateOnly) => {
      const results = await checker.check(frames, { verifyEvents: verifyEvents && !certificateOnly })
      return results.map((result) => (result.ok ? { ok: true, item: result.block } : result))
    },
    wireBytes: ({ blockBytes, commitBytes }) => blockBytes.byteLength + commitBytes.byteLength
  }
}
