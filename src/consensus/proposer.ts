/** Makes the block that this validator proposes. */
import { HEADER_AND_SEAL_BYTES } from '../chain/params.ts'
import type { KeyPair } from '../crypto/ed25519.ts'
import type { BuiltBlock } from '../ledger/ledger.ts'
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

  /** The next block, sealed, with as many events as it may hold. */
  build(key: KeyPair): BuiltBlock {
    const { ledger, mempool } = this.#ports
    const { maxBlockEvents, maxBlockBytes } = ledger.genesis.params
    const eligible = this.#eligible()
    const maxBytes = maxBlockBytes - HEADER_AND_SEAL_BYTES
    const events = mempool.select({ ...eligible, maxEvents: maxBlockEvents, maxBytes })
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
