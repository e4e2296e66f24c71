/**
 * The header topic at a node that holds the chain. It has no use for headers itself: it looks at them so that light
 * clients hear of each final block once and of nothing false (protocol §10), and because a certified header of another
 * chain is evidence.
 */
import { checkHeader, maxTrustedHeaderBytes } from '../chain/check-header.ts'
import { blockHash } from '../chain/domain.ts'
import { equalBytes } from '../codec/bytes.ts'
import { TrustedHeader } from '../codec/generated/chain.ts'
import { hasCode } from '../error.ts'
import { ACCEPT, IGNORE, type Judgement, reject } from './judgement.ts'
import type { LedgerPort } from './ports.ts'
import { Told } from './told.ts'

export interface HeaderIntakePorts {
  readonly ledger: Pick<LedgerPort, 'genesis' | 'tip' | 'conflict' | 'blockAt' | 'compareHeader'>
  /** A certified header above the next height was seen. */
  readonly behind: (height: number, from: string) => void
}

export class HeaderIntake {
  readonly #ports: HeaderIntakePorts
  readonly #told: Told

  constructor(ports: HeaderIntakePorts) {
    this.#ports = ports
    this.#told = new Told(() => ports.ledger.tip.height)
  }

  /** Where it stands is looked at first, its signatures after. */
  async header(payload: Uint8Array, from: string): Promise<Judgement> {
    const { ledger, behind } = this.#ports
    const { genesis } = ledger
    if (payload.byteLength > maxTrustedHeaderBytes(genesis)) return reject('TOO_LARGE')
    const seen = peek(genesis.hash, payload)
    if (seen === undefined) return reject('NON_CANONICAL')
    const { height, hash } = seen
    const ours = await this.#hashAt(height)
    if (ours !== undefined && equalBytes(ours, hash) && !this.#told.isNews(height, hash)) return IGNORE
    // Which of the two chains is ours is not for this node to say any more.
    if (ledger.conflict !== undefined) return IGNORE
    const checked = checkHeader(genesis, payload)
    if (!checked.ok) return reject(checked.failure.code)
    const { header } = checked
    if (header.deferred !== undefined) return reject(header.deferred.code)
    if (height > ledger.tip.height + 1) {
      behind(height, from)
      return IGNORE
    }
    let root: Uint8Array
    try {
      root = await ledger.compareHeader(header)
    } catch (error) {
      if (hasCode(error, 'LEDGER_CLOSED')) return IGNORE
      // The ledger keeps the evidence and says so. Others shall see it too: that is how they learn of it.
      if (hasCode(error, 'CONFLICTING_FINALITY')) return this.#told.add(height, hash) ? ACCEPT : IGNORE
      throw error
    }
    // The root is under no signature: a copy with another would keep light clients from the true one.
    if (!equalBytes(root, header.claimedRoot)) return reject('BAD_MMR_ROOT')
    return this.#told.add(height, hash) ? ACCEPT : IGNORE
  }

  async #hashAt(height: number): Promise<Uint8Array | undefined> {
    const { ledger } = this.#ports
    if (height === ledger.tip.height) return ledger.tip.hash
    return height < ledger.tip.height ? (await ledger.blockAt(height))?.hash : undefined
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
