import { hashEvents } from '../../src/chain/event-hashes.ts'
import { encodeHeader, genesisHeader } from '../../src/chain/header.ts'
import type { FoldedBlock } from '../../src/chain/state.ts'
import { EventBody, Outcome, SignedEvent } from '../../src/codec/generated/event.ts'
import { joinBlock } from '../../src/codec/raw.ts'
import { ChainMaker } from '../../test/support/chain-maker.ts'
import { Random } from '../../test/support/random.ts'

export const EVENTS_A_BLOCK = 100
const ACTORS = 50
const ACTIONS = 4

/** A chain of no other use: its genesis names a database. */
export const { genesis } = new ChainMaker({ validators: 1, actors: 0 })
const header = encodeHeader(genesisHeader(genesis))

/**
 * Blocks as the state sees them, with nothing signed: few actors and actions, and the resource of each event by its number.
 */
export class StateBlocks {
  readonly #random = new Random(1)
  #events = 0

  /** A block of events on these resources. */
  of(resources: readonly number[]): FoldedBlock {
    const events = resources.map((resource) => this.#event(resource))
    return { ...hashEvents(events), blockBytes: joinBlock(header, new Uint8Array(64), events) as never }
  }

  /** `count` of the numbers below `bound`, far apart: one of each `count`-th part of them. */
  draw(count: number, bound: number): number[] {
    const part = bound / count
    return Array.from({ length: count }, (_, i) => Math.floor(i * part) + this.#random.below(Math.floor(part)))
  }

  /** A block of events on any of the first `known` resources. */
  random(known: number): FoldedBlock {
    return this.of(Array.from({ length: EVENTS_A_BLOCK }, () => this.#random.below(known)))
  }

  #event(resource: number): Uint8Array {
    const number = this.#events++
    const body = EventBody.encode({
      timestamp: 1 + number,
      action: `action-${number % ACTIONS}`,
      resource: { kind: 'document', id: `archive/${resource}` },
      outcome: Outcome.SUCCESS,
      metadata: []
    })
    const actor = new Uint8Array(32).fill(number % ACTORS)
    return SignedEvent.encode({ body, actor, signature: new Uint8Array(64).fill(1) })
  }
}
