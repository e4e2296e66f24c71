/**
 * The header topic (protocol §10). A node that holds the chain has no use for headers itself: it looks at them so that
 * light clients hear of each final block once and of nothing false. A light node follows the chain by it. To both a
 * certified header of another chain is evidence.
 */
import { type CheckedHeader, checkHeader, maxTrustedHeaderBytes } from '../chain/check-header.ts'
import { blockHash } from '../chain/domain.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { equalBytes } from '../codec/bytes.ts'
import { TrustedHeader } from '../codec/generated/chain.ts'
import { hasCode } from '../error.ts'
import { ACCEPT, IGNORE, type Judgement, reject } from './judgement.ts'
import { Told } from './told.ts'

/** A ledger, or a light node's chain of headers. */
export interface HeadersPort {
  readonly genesis: Genesis
  readonly tip: { readonly height: number; readonly hash: Uint8Array }
  /** Another certified chain was seen. */
  readonly conflict: unknown
  hashAt(height: number): Promise<Uint8Array | undefined>
  /**
   * Of a certified header of a height up to the next. A chain of headers takes the next one.
   * @throws MolochError CONFLICTING_FINALITY if it is of another chain, LEDGER_CLOSED
   */
  compareHeader(header: CheckedHeader): Promise<Failure | undefined>
}

export interface HeaderIntakePorts {
  readonly chain: HeadersPort
  /** A certified header above the next height was seen. */
  readonly behind: (height: number, from: string) => void
}

export class HeaderIntake {
  readonly #ports: HeaderIntakePorts
  readonly #told: Told

  constructor(ports: HeaderIntakePorts) {
    this.#ports = ports
    this.#told = new Told(() => ports.chain.tip.height)
  }

  /** Where it stands is looked at first, its signatures after. */
  async header(payload: Uint8Array, from: string): Promise<Judgement> {
    const { chain, behind } = this.#ports
    const { genesis } = chain
    if (payload.byteLength > maxTrustedHeaderBytes(genesis)) return reject('TOO_LARGE')
    const seen = peek(genesis.hash, payload)
    if (seen === undefined) return reject('NON_CANONICAL')
    const { height, hash } = seen
    const ours = await this.#hashAt(height)
    if (ours !== undefined && equalBytes(ours, hash) && !this.#told.isNews(height, hash)) return IGNORE
    // Skipped, pruned or from before the checkpoint: there is nothing to compare it with, and its signatures cost time.
    if (height <= chain.tip.height && ours === undefined) return IGNORE
    // Which of the two chains is ours is not for this node to say any more.
    if (chain.conflict !== undefined) return IGNORE
    const checked = checkHeader(genesis, payload)
    if (!checked.ok) return reject(checked.failure.code)
    const { header } = checked
    if (header.deferred !== undefined) return reject(header.deferred.code)
    if (height > chain.tip.height + 1) {
      behind(height, from)
      return IGNORE
    }
    let failure: Failure | undefined
    try {
      failure = await chain.compareHeader(header)
    } catch (error) {
      if (hasCode(error, 'LEDGER_CLOSED')) return IGNORE
      // Evidence is kept by now, and it is said. Others shall see it too: that is how they learn of it.
      if (hasCode(error, 'CONFLICTING_FINALITY')) return this.#told.add(height, hash) ? ACCEPT : IGNORE
      throw error
    }
    // The root is under no signature: a copy with another would keep light clients from the true one.
    if (failure !== undefined) return reject(failure.code)
    return this.#told.isNews(height, hash) && this.#told.add(height, hash) ? ACCEPT : IGNORE
  }

  async #hashAt(height: number): Promise<Uint8Array | undefined> {
    const { chain } = this.#ports
    if (height === chain.tip.height) return chain.tip.hash
    return height < chain.tip.height ? chain.hashAt(height) : undefined
  }
}

/** Enough to know the slot; unchecked. Block 0 is nobody's to tell of. */
function peek(genesisHash: Uint8Array, payload: Uint8Array): { height: number; hash: Uint8Array } | undefined {
  try {
    const { header } = TrustedHeader.decode(payload)
    if (header === undefined || header.height === 0) return undefined
    return { height: header.height, hash: blockHash(genesisHash, header) }
  } catch {
    return undefined
  }
}
