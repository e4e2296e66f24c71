import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'

/** A turn of the event loop that takes longer has others' work in it: backfill's own slices are shorter. */
const LONG_TURN_MS = 25
/** Share that is left to others then: the pause is this many times the turn. */
const PAUSE_FACTOR = 2
/** A peer that waits for us to read on must not take us for stalled. */
const MAX_PAUSE_MS = 250

/**
 * Lets the event loop do what waits, and measures how long that takes: when consensus, gossip or the API have much to do,
 * backfill does less.
 */
export async function giveWay(): Promise<void> {
  const since = performance.now()
  await nextTurn()
  const took = performance.now() - since
  if (took > LONG_TURN_MS) await pause(Math.min(MAX_PAUSE_MS, took * PAUSE_FACTOR))
}
