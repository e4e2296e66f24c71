/**
 * The time of a block (protocol §7, Block time). Pure. What it comes to: of validators whose clocks show anything, the one
 * that is furthest behind proposes what all others find timely, so that clocks alone never stop a chain.
 */

/** A fresh proposal may be so far ahead of the clock of who votes on it: clocks of validators differ by as much. */
export const MAX_PROPOSAL_AHEAD_MS = 2000

/** Unix ms of a new block. */
export function proposalTime(now: number, parentTimestamp: number): number {
  return Math.max(Math.floor(now), parentTimestamp + 1)
}

/**
 * What to make of a fresh proposal's time. Only one that is `ahead` gets no vote. `least` is the parent's + 1: its proposer had
 * no lower choice, and waiting for our clock to come so far would hold the chain for as long as clocks once were ahead.
 */
export type Timing = 'least' | 'near' | 'ahead'

export function timingOf(timestamp: number, parentTimestamp: number, now: number): Timing {
  if (timestamp === parentTimestamp + 1) return 'least'
  return timestamp <= now + MAX_PROPOSAL_AHEAD_MS ? 'near' : 'ahead'
}
