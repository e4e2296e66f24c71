/**
 * How much a fresh proposal may hold (protocol §7, Size). The chain's limits are what the best of days can bear: a block
 * that the slower validators cannot get, check and vote on within the timeouts is no block, and the next one as large
 * fails as well. So a proposer takes less after rounds that failed, and the size that all get through in time is found
 * from how the last blocks went, as TCP finds the rate that a path bears. Pure: every validator sees much the same.
 */
import { HEADER_AND_SEAL_BYTES, type Params } from '../chain/params.ts'

/** The parts of a finalized CheckedBlock that are looked at. */
interface Finalized {
  readonly header: { readonly eventCount: number }
  readonly blockBytes: { readonly byteLength: number }
  /** Its round says how many failed before. */
  readonly commit: { readonly round: number } | undefined
}

export interface Allowance {
  readonly maxEvents: number
  /** For the events as they are in a Block. */
  readonly maxBytes: number
}

type Limits = Pick<Params, 'maxBlockBytes' | 'maxBlockEvents' | 'maxEventBytes' | 'timeoutProposeMs'>

/** Of the chain's limits: where a node begins that knows nothing of the others. */
const FIRST_SHARE = 1 / 8
const LEAST_SHARE = 1 / 64
/** Of a share whose block was decided in half of the time that there is. */
const GROWTH = 2
const DECLINE = 2 / 3
/** Tag and length of the largest event in a block. */
const EVENT_OVERHEAD_BYTES = 8

export class BlockBudget {
  readonly #limits: Limits
  #share = FIRST_SHARE

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Of the chain's limits, in round 0: 1/64 … 1. */
  get share(): number {
    return this.#share
  }

  /** Of a fresh block in that round: half of it for each round that failed. */
  at(round: number): Allowance {
    const { maxBlockBytes, maxBlockEvents, maxEventBytes } = this.#limits
    const share = Math.max(LEAST_SHARE, this.#share / 2 ** round)
    const room = maxBlockBytes - HEADER_AND_SEAL_BYTES
    return {
      maxEvents: Math.max(1, Math.floor(maxBlockEvents * share)),
      // Whatever the share, the largest event fits, or it would never be final.
      maxBytes: Math.min(room, Math.max(Math.floor(room * share), maxEventBytes + EVENT_OVERHEAD_BYTES))
    }
  }

  /**
   * Only a block that took what it was allowed says anything: that a small one went well or badly is not its size's doing.
   * @param elapsedMs from the moment of round 0 to the decision; undefined if it was decided elsewhere: who is too slow to
   *   see the votes in time is the last to make blocks larger
   */
  learn({ header, blockBytes, commit }: Finalized, elapsedMs: number | undefined): void {
    const round = commit?.round ?? 0
    const { maxEvents, maxBytes } = this.at(round)
    if (header.eventCount < maxEvents / 2 && blockBytes.byteLength < maxBytes / 2) return
    const { timeoutProposeMs } = this.#limits
    if (round > 0) this.#set(this.#share / 2 ** round)
    else if (elapsedMs === undefined) return
    else if (elapsedMs <= timeoutProposeMs / 2) this.#set(this.#share * GROWTH)
    else if (elapsedMs > timeoutProposeMs) this.#set(this.#share * DECLINE)
  }

  #set(share: number): void {
    this.#share = Math.min(1, Math.max(LEAST_SHARE, share))
  }
}
