/** When things are due (protocol §8, Pace and rule 10). Pure: moments and durations in, milliseconds out. */
import type { Params } from '../chain/params.ts'
import type { AskReason, Step, TimeoutKind } from './types.ts'

/**
 * The moment of round 0 at which the proposer proposes and the others arm the propose timeout: max(t0 + block_interval,
 * first event in the mempool), at the latest t0 + empty_block_interval.
 * @param began t0: when height−1 was decided, in monotonic ms
 * @param eventsSince since when there is an event in the mempool; undefined: there is none
 */
export function paceMoment(
  params: Pick<Params, 'blockIntervalMs' | 'emptyBlockIntervalMs'>,
  began: number,
  eventsSince: number | undefined
): number {
  const latest = began + params.emptyBlockIntervalMs
  if (eventsSince === undefined) return latest
  return Math.min(Math.max(began + params.blockIntervalMs, eventsSince), latest)
}

type Timeouts = Pick<Params, 'timeoutProposeMs' | 'timeoutPrevoteMs' | 'timeoutPrecommitMs' | 'timeoutDeltaMs'>

/** Timers do not take more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export function timeoutMs(params: Timeouts, kind: TimeoutKind, round: number): number {
  const base = {
    propose: params.timeoutProposeMs,
    prevote: params.timeoutPrevoteMs,
    precommit: params.timeoutPrecommitMs
  }
  return Math.min(base[kind] + round * params.timeoutDeltaMs, LONGEST_TIMER_MS)
}

/** A full timeout: as long as a round takes in which each step times out. */
export function roundMs(params: Timeouts, round: number): number {
  const kinds: readonly TimeoutKind[] = ['propose', 'prevote', 'precommit']
  const sum = kinds.reduce((total, kind) => total + timeoutMs(params, kind, round), 0)
  return Math.min(sum, LONGEST_TIMER_MS)
}

/** Below this a busy machine would be called a chain that stands. */
const LEAST_STAND_MS = 10_000
/** f faulty proposers cost as many rounds; beyond these something is wrong. */
const ROUNDS_OF_PATIENCE = 4

/** A chain stands when nothing was decided for so long since a block was due: ms. */
export function standAfterMs(params: Timeouts): number {
  let sum = 0
  for (let round = 0; round < ROUNDS_OF_PATIENCE; round++) sum += roundMs(params, round)
  return Math.max(sum, LEAST_STAND_MS)
}

/** Who votes ahead of us is mostly just a little faster: what makes it so is on its way. */
export const ASK_SOON_MS = 200

export function askDelayMs(why: AskReason): number {
  return why === 'ahead' ? ASK_SOON_MS : 0
}

/** A chain that stands for long is asked about no less often, whatever its round. */
const LONGEST_ASK_MS = 10_000

/** For how long a step waits before peers are asked. Twice as long after each time in vain, up to a round's length. */
export function askAgainMs(params: Timeouts, step: Step, round: number, asked: number): number {
  const most = Math.min(roundMs(params, round), LONGEST_ASK_MS)
  return Math.min(timeoutMs(params, step, round) * 2 ** Math.min(asked, 30), most)
}

/** A decided block is published by its proposer; if that died, by whoever is next after so much time for each rank. */
export const FINALIZED_RANK_DELAY_MS = 300

/** Milliseconds after deciding at which validator `self` publishes a block of `proposer`, if nobody has by then. */
export function publicationDelay(self: number, proposer: number, size: number): number {
  return ((self - proposer + size) % size) * FINALIZED_RANK_DELAY_MS
}
