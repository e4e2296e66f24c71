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
 * Whether a fresh proposal's time gets a vote. The parent's + 1 always does: its proposer had no lower choice, and waiting
 * for our clock to come so far would hold the chain for as long as clocks once were ahead.
 */
export function isTimely(timestamp: number, parentTimestamp: number, now: number): boolean {
  return timestamp === parentTimestamp + 1 || timestamp <= now + MAX_PROPOSAL_AHEAD_MS
}
