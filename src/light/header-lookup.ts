import type { CheckedHeader } from '../chain/check-header.ts'
import { MolochError } from '../error.ts'
import type { ProofRequests } from '../network/types.ts'
import { type AskPeersPorts, askPeers } from './ask-peers.ts'
import { fetchHeader } from './fetch-header.ts'
import type { LightChain } from './light-chain.ts'

export interface HeaderLookupPorts extends AskPeersPorts {
  readonly chain: Pick<LightChain, 'genesis' | 'tip' | 'insertProven'>
  readonly getHeaders: ProofRequests['getHeaders']
  readonly getProof: ProofRequests['getProof']
}

/** Headers that were skipped or pruned, fetched when they are asked for, each with the path that proves it. */
export class HeaderLookup {
  readonly #ports: HeaderLookupPorts

  constructor(ports: HeaderLookupPorts) {
    this.#ports = ports
  }

  /**
   * The header of a height from 1 to the tip's, with its certificate; kept in the chain if there is room for it.
   * @throws MolochError UNAVAILABLE, NO_ANSWER, and what the chain throws
   */
  at(height: number, signal?: AbortSignal): Promise<CheckedHeader> {
    const { chain } = this.#ports
    const anchorHeight = chain.tip.height
    return askPeers(
      this.#ports,
      `header ${height}`,
      { from: height, to: anchorHeight },
      async (peer, ends) => {
        const { header } = await fetchHeader(chain.genesis, this.#ports.getHeaders, peer, height, ends)
        const request = { header: { height, anchorHeight } }
        const { header: proof } = await this.#ports.getProof(peer, request, { signal: ends })
        if (proof === undefined) throw new MolochError('PROOF_WRONG_KIND', 'the answer holds no header proof')
        const { failure } = await chain.insertProven([{ header, anchorHeight, path: proof.mmrPath }])
        if (failure !== undefined) throw new MolochError(failure.failure.code, failure.failure.message)
        return header
      },
      signal
    )
  }
}

export interface SkipPorts extends AskPeersPorts {
  readonly chain: Pick<LightChain, 'genesis' | 'tip' | 'skip' | 'apply'>
  readonly getHeaders: ProofRequests['getHeaders']
  readonly getProof: ProofRequests['getProof']
}

/**
 * Moves the tip to the certified header of `height` without those between.
 * @throws MolochError NO_ANSWER or an honest refusal's code: nothing has changed; CONFLICTING_FINALITY
 */
export function skipTo(ports: SkipPorts, height: number, signal?: AbortSignal): Promise<void> {
  const { chain } = ports
  return askPeers(
    ports,
    `header ${height}`,
    // Its peer proves that our tip is of its chain.
    { from: chain.tip.height, to: height },
    async (peer, ends) => {
      const from = chain.tip
      if (from.height >= height) return
      const { header, peaks } = await fetchHeader(chain.genesis, ports.getHeaders, peer, height, ends)
      const request = { header: { height: from.height, anchorHeight: height } }
      const { header: proof } = await ports.getProof(peer, request, { signal: ends })
      if (proof === undefined) throw new MolochError('PROOF_WRONG_KIND', 'the answer holds no header proof')
      const failure = await chain.skip(header, peaks, proof.mmrPath, from)
      if (failure === undefined) return
      // Another chain, or a false path: what it has at our height tells. A certified rival of our tip is evidence.
      if (failure.code === 'BAD_PARENT' && from.height > 0) {
        const rival = await fetchHeader(chain.genesis, ports.getHeaders, peer, from.height, ends)
        await chain.apply([rival.header])
      }
      throw new MolochError(failure.code, failure.message)
    },
    signal
  )
}
