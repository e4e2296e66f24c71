/**
 * The header topic (protocol §9), of headers that were checked in full but for the root after them. A node that holds the
 * chain has no use for headers itself: it takes them so that light clients hear of each final block once and of nothing
 * false. A light node follows the chain by it. To both a certified header of another chain is evidence.
 */
import type { CheckedHeader } from '../chain/check-header.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { checkHeaderMessage } from '../chain/gossip-checks.ts'
import type { Taken, TopicRules } from '../chain/gossip-rules.ts'
import { equalBytes } from '../codec/bytes.ts'
import { hasCode } from '../error.ts'
import type { LedgerPort } from './ports.ts'
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
  /** The peer has passed a header on that this node passes on too. */
  readonly passedOn?: (height: number, from: string) => void
}

export class HeaderIntake {
  readonly #ports: HeaderIntakePorts
  readonly #told: Told
  /** Of the topic. */
  readonly rules: TopicRules<CheckedHeader>

  constructor(ports: HeaderIntakePorts) {
    this.#ports = ports
    const { genesis } = ports.chain
    this.rules = {
      check: (payload) => checkHeaderMessage(genesis, payload),
      take: async (header, from) => {
        const taken = await this.#take(header, from)
        if (taken === 'accept') ports.passedOn?.(header.height, from)
        return taken
      }
    }
    this.#told = new Told(() => ports.chain.tip.height)
  }

  async #take(header: CheckedHeader, from: string): Promise<Taken> {
    const { chain, behind } = this.#ports
    const { height, hash } = header
    const ours = await this.#hashAt(height)
    if (ours !== undefined && equalBytes(ours, hash) && !this.#told.isNews(height, hash)) return 'ignore'
    // Skipped, pruned or from before the checkpoint: there is nothing to compare it with.
    if (height <= chain.tip.height && ours === undefined) return 'ignore'
    // Which of the two chains is ours is not for this node to say any more.
    if (chain.conflict !== undefined) return 'ignore'
    if (height > chain.tip.height + 1) {
      behind(height, from)
      return 'ignore'
    }
    let failure: Failure | undefined
    try {
      failure = await chain.compareHeader(header)
    } catch (error) {
      if (hasCode(error, 'LEDGER_CLOSED')) return 'ignore'
      // Evidence is kept by now, and it is said. Others shall see it too: that is how they learn of it.
      if (hasCode(error, 'CONFLICTING_FINALITY')) return this.#told.add(height, hash) ? 'accept' : 'ignore'
      throw error
    }
    // A false root is under no signature, and who does not hold the chain cannot tell: it is no fault of who passed it on.
    if (failure !== undefined) return 'ignore'
    return this.#told.isNews(height, hash) && this.#told.add(height, hash) ? 'accept' : 'ignore'
  }

  async #hashAt(height: number): Promise<Uint8Array | undefined> {
    const { chain } = this.#ports
    if (height === chain.tip.height) return chain.tip.hash
    return height < chain.tip.height ? chain.hashAt(height) : undefined
  }
}

/** What a full node's own chain says of headers. */
export function headersPort(ledger: LedgerPort): HeadersPort {
  return {
    genesis: ledger.genesis,
    get tip() {
      return ledger.tip
    },
    get conflict() {
      return ledger.conflict
    },
    hashAt: async (height) => (await ledger.blockAt(height))?.hash,
    compareHeader: (header) => ledger.compareHeader(header)
  }
}
