/** Makes the block that this validator proposes. */
import type { KeyPair } from '../crypto/ed25519.ts'
import type { BuiltBlock } from '../ledger/ledger.ts'
import type { Allowance } from './block-budget.ts'
import { proposalTime } from './block-time.ts'
import type { Clock, LedgerPort, MempoolPort } from './ports.ts'

export interface ProposerPorts {
  readonly ledger: LedgerPort
  readonly mempool: MempoolPort
  readonly clock: Clock
}

export class Proposer {
  readonly #ports: ProposerPorts

  constructor(ports: ProposerPorts) {
    this.#ports = ports
  }

  /** Whether the mempool has an event that a block proposed now could hold. */
  hasEvents(): boolean {
    return this.#ports.mempool.hasSelectable(this.#eligible())
  }

  /** The next block, sealed, with as many events as it is allowed and as there are. */
  build(key: KeyPair, allowance: Allowance): BuiltBlock {
    const { ledger, mempool } = this.#ports
    const eligible = this.#eligible()
    const events = mempool.select({ ...eligible, ...allowance })
    return ledger.buildBlock({ timestamp: eligible.timestamp, proposer: key, events })
  }

  #eligible(): { timestamp: number; windowMs: number; skip: (id: Uint8Array) => boolean } {
    const { ledger, clock } = this.#ports
    return {
      timestamp: proposalTime(clock.now(), ledger.tip.header.timestamp),
      windowMs: ledger.genesis.params.eventWindowMs,
      skip: (id) => ledger.hasRecentEvent(id)
    }
  }
}
