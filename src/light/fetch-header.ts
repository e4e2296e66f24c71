import { type CheckedHeader, checkHeader } from '../chain/check-header.ts'
import type { Genesis } from '../chain/genesis.ts'
import { MolochError } from '../error.ts'
import type { ProofRequests } from '../network/types.ts'

/** A header with its certificate from one peer, and the peaks of the range over the blocks before it, unchecked. */
export interface FetchedHeader {
  readonly header: CheckedHeader
  readonly peaks: readonly Uint8Array[]
}

/**
 * The TrustedHeader that a peer has at a height.
 * @throws MolochError with the code of what is wrong with it, or a NetworkErrorCode
 */
export async function fetchHeader(
  genesis: Genesis,
  getHeaders: ProofRequests['getHeaders'],
  peer: string,
  height: number,
  signal: AbortSignal
): Promise<FetchedHeader> {
  for await (const { headers, peaks } of getHeaders(peer, { start: height, count: 1 }, { signal })) {
    const [bytes] = headers
    if (bytes === undefined) break
    const checked = checkHeader(genesis, bytes)
    const failure = checked.ok ? checked.header.deferred : checked.failure
    if (!checked.ok || failure !== undefined) {
      throw new MolochError(failure?.code ?? 'BAD_FRAME', failure?.message ?? 'a header that is none')
    }
    const { header } = checked
    if (header.height === height) return { header, peaks }
    throw new MolochError('BAD_HEIGHT', `a header of height ${header.height} where ${height} was asked for`)
  }
  throw new MolochError('UNAVAILABLE', `no header ${height}`)
}
