/**
 * How far this node's clock and those of validators are apart, by what peers say (Status) and by the times that validators
 * sign (fresh proposals). Pure. Only words follow from it: no vote, verdict or block time.
 *
 * Of f faulty validators each may say what it likes: the median of 2f + 1 clocks, our own among them if we are one, is
 * within what honest ones have. With fewer nothing is said of anybody's clock.
 */
import type { ValidatorSet } from '../chain/validators.ts'
import { MAX_PROPOSAL_AHEAD_MS } from './block-time.ts'
import type { Action } from './types.ts'

export type TimedProposal = Extract<Action, { type: 'timed' }>

/** A clock that is read, held against a monotonic one of ours. */
export interface ClockReading {
  /** Monotonic ms. */
  readonly at: number
  /** What it said then, Unix ms … */
  readonly unix: number
  /** … give or take as much. */
  readonly errorMs: number
}

/** How far a clock is ahead of ours, ms; below 0 it is behind. Between the two, ends included. */
export interface Lead {
  readonly least: number
  readonly most: number
}

export interface Clocks {
  /** Of the validators, by median; undefined: too few of their clocks are known. */
  readonly median: Lead | undefined
  /** How far this node's clock is ahead of theirs at least; 0: nothing is wrong with it as far as is known. */
  readonly ownAheadMs: number
  /** Validators whose clock is off, and how far it is ahead of the median at least. */
  readonly wrong: readonly { readonly validator: string; readonly aheadMs: number }[]
}

export interface OwnClock {
  readonly validators: ValidatorSet
  /** Own index; −1 for an observer, whose clock does not count among them. */
  readonly self: number
  /** Unix ms. */
  readonly now: number
  readonly monotonic: number
}

/** Beyond this a clock is off: others begin to refuse what it proposes. */
export const CLOCK_TOLERANCE_MS = MAX_PROPOSAL_AHEAD_MS

/** A proposal older than this says nothing more: the clock may have been set since. */
const PROPOSED_KEPT_MS = 600_000

const RIGHT: Lead = { least: 0, most: 0 }

/**
 * @param said by validator index: what connected validators say
 * @param proposed by validator index: the times of fresh proposals. Such a one may have been on its way for long, so it
 *   shows only how far its proposer's clock is ahead at least.
 */
export function compareClocks(
  { validators, self, now, monotonic }: OwnClock,
  said: ReadonlyMap<number, ClockReading>,
  proposed: ReadonlyMap<number, Pick<ClockReading, 'at' | 'unix'>>
): Clocks {
  const leads = new Map<number, Lead>()
  const leadOf = ({ at, unix }: Pick<ClockReading, 'at' | 'unix'>): number => unix + monotonic - at - now
  for (const [validator, reading] of proposed) {
    leads.set(validator, { least: leadOf(reading), most: Number.POSITIVE_INFINITY })
  }
  for (const [validator, reading] of said) {
    const lead = leadOf(reading)
    leads.set(validator, { least: lead - reading.errorMs, most: lead + reading.errorMs })
  }
  if (self >= 0) leads.set(self, RIGHT)
  const median = leads.size < 2 * validators.faulty + 1 ? undefined : medianOf([...leads.values()])
  if (median === undefined) return { median, ownAheadMs: 0, wrong: [] }
  leads.delete(self)
  const wrong = [...leads].flatMap(([index, lead]) => {
    const aheadMs = outside(lead, median)
    return aheadMs === 0 ? [] : [{ validator: validators.names[index] as string, aheadMs }]
  })
  return { median, ownAheadMs: outside(RIGHT, median), wrong }
}

/** What a fresh proposal shows of its proposer's clock. */
export interface ProposalReading extends Pick<ClockReading, 'at' | 'unix'> {
  /** How far it was ahead of ours, ms, if it was refused for that; else undefined. */
  readonly refusedMs: number | undefined
}

/** By validator index: the last fresh proposal that shows anything. */
export class ProposalTimes {
  readonly #readings = new Map<number, ProposalReading>()

  /** @param at monotonic ms */
  heard({ proposer, timestamp, now, timing }: Omit<TimedProposal, 'type'>, at: number): void {
    // The least time is the parent's doing.
    if (timing === 'least') this.#readings.delete(proposer)
    else
      this.#readings.set(proposer, { at, unix: timestamp, refusedMs: timing === 'ahead' ? timestamp - now : undefined })
  }

  /** @param at monotonic ms */
  recent(at: number): ReadonlyMap<number, ProposalReading> {
    return new Map([...this.#readings].filter(([, reading]) => at - reading.at <= PROPOSED_KEPT_MS))
  }
}

/** Of an even number the range between the middle two: then it cannot be told whose clock is off. */
function medianOf(leads: readonly Lead[]): Lead {
  const least = leads.map((lead) => lead.least).sort(ascending)
  const most = leads.map((lead) => lead.most).sort(ascending)
  const half = (leads.length - 1) / 2
  return { least: least[Math.floor(half)] as number, most: most[Math.ceil(half)] as number }
}

/** How far `lead` is above `right` at least, negative for below; 0 if they may agree, by the tolerance. */
function outside(lead: Lead, right: Lead): number {
  const above = lead.least - right.most
  if (above > CLOCK_TOLERANCE_MS) return above
  const below = right.least - lead.most
  return below > CLOCK_TOLERANCE_MS ? -below : 0
}

function ascending(a: number, b: number): number {
  return a - b
}
