import type { CheckedHeader, HeaderCheck } from '../chain/check-header.ts'
import { HEADERS } from './policy/kind.ts'
import type { SyncItems } from './types.ts'

/** What header sync needs of the verify pool. */
export interface HeaderChecker {
  checkHeaders(frames: readonly Uint8Array[]): Promise<HeaderCheck[]>
}

/** TrustedHeaders of one peer, a frame at a time (the network's getHeaders). */
export type FetchHeaders = (
  peer: string,
  range: { readonly start: number; readonly count: number },
  signal: AbortSignal
) => AsyncIterable<{ readonly headers: Uint8Array[] }>

/** Header sync: TrustedHeaders, without the peaks that come with them: who follows header by header has its own. */
export function headerItems(checker: HeaderChecker, fetch: FetchHeaders): SyncItems<CheckedHeader> {
  return {
    kind: HEADERS,
    fetch: async function* (peer, range, signal) {
      for await (const { headers } of fetch(peer, range, signal)) yield headers
    },
    check: async (frames) => {
      const results = await checker.checkHeaders(frames)
      return results.map((result) => (result.ok ? { ok: true, item: result.header } : result))
    },
    wireBytes: ({ bytes }) => bytes.byteLength
  }
}
