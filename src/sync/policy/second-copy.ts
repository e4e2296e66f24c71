/** Copies of one range at most: more would let one slow peer multiply the traffic. */
export const MAX_COPIES = 2
/** How many of the lowest downloading ranges may get a second copy: only these can hold up the chain. */
export const FRONT_RANGES = 2
/** Never sooner than this: a stream takes a round trip and its negotiation. */
const LAG_FLOOR_MS = 400
/** How much longer than expected the first may take. */
const LAG_FACTOR = 3
/** The same before any peer's rate is known. */
const UNMEASURED_PATIENCE_MS = 1_500

/**
 * Whether a request lags: it is out for much longer than `bytes` should take at `rate` (the rate of the best other
 * peer, bytes/s), or nothing has come for as long.
 */
export function lags(
  copy: { since: number; heardAt: number },
  bytes: number,
  rate: number | undefined,
  at: number
): boolean {
  const patience =
    rate === undefined ? UNMEASURED_PATIENCE_MS : LAG_FLOOR_MS + LAG_FACTOR * (bytes / Math.max(1, rate)) * 1000
  return at - copy.since > patience || at - copy.heardAt > patience
}
