import { toHex } from '../codec/bytes.ts'
import type { Decoded, DecodedEvents, DecodedProposal, DecodedVote } from './decoded.ts'
import { Recent } from './recent.ts'

/** What a slot was before: `conflict` is a second block or vote of one validator where only one may be. */
export type Placed = 'new' | 'conflict' | 'known' | 'surplus'

type SlotOfProposal = Pick<DecodedProposal, 'type' | 'height' | 'round' | 'validRound' | 'hash'>

const MAX_PROPOSALS = 1024
const MAX_VOTES = 16_384
const MAX_EVENTS = 65_536
const MAX_TIMES = 512
/** Of one slot: a third proves nothing more. */
const MAX_OF_SLOT = 2

/** What was seen lately, so that each thing is shown and forwarded once, in whatever bytes it comes. */
export class Slots {
  readonly #proposals = new Recent<readonly string[]>(MAX_PROPOSALS)
  readonly #votes = new Recent<readonly string[]>(MAX_VOTES)
  readonly #events = new Recent<true>(MAX_EVENTS)
  /** Block hash to its timestamp. */
  readonly #times = new Recent<number>(MAX_TIMES)

  proposal(proposal: SlotOfProposal): Placed {
    return place(this.#proposals, ...proposalEntry(proposal))
  }

  vote(vote: DecodedVote): Placed {
    return place(this.#votes, ...voteEntry(vote))
  }

  hasEvent(id: string): boolean {
    return this.#events.has(id)
  }

  /** @returns those of the events that were not known: others may have come while their signatures were checked */
  takeEvents({ fresh }: DecodedEvents): DecodedEvents['fresh'] {
    const left = fresh.filter(({ id }) => !this.#events.has(toHex(id)))
    for (const { id } of left) this.#events.set(toHex(id), true)
    return left
  }

  /** The block's own time: of votes too, once their block was seen. */
  timeOf(message: Decoded): number | undefined {
    if ('timestamp' in message) {
      this.#times.set(message.hash, message.timestamp)
      return message.timestamp
    }
    return 'hash' in message && message.hash !== undefined ? this.#times.get(message.hash) : undefined
  }
}

function proposalEntry({ height, round, validRound, hash }: SlotOfProposal): [slot: string, value: string] {
  return [`${height}/${round}`, `${hash}/${validRound ?? ''}`]
}

function voteEntry({ type, height, round, validator, hash }: DecodedVote): [slot: string, value: string] {
  return [`${height}/${round}/${type}/${validator}`, hash ?? 'nil']
}

function placing(slots: Recent<readonly string[]>, slot: string, value: string): Placed {
  const before = slots.get(slot) ?? []
  if (before.includes(value)) return 'known'
  if (before.length >= MAX_OF_SLOT) return 'surplus'
  return before.length === 0 ? 'new' : 'conflict'
}

function place(slots: Recent<readonly string[]>, slot: string, value: string): Placed {
  const placed = placing(slots, slot, value)
  if (placed === 'new' || placed === 'conflict') slots.set(slot, [...(slots.get(slot) ?? []), value])
  return placed
}
