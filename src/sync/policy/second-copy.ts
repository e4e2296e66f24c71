/** Copies of one range at most: more would let one slow peer multiply the traffic. */
export const MAX_COPIES = 2
/** How many of the lowest downloading ranges may get a second copy: only these can hold up the chain. */
export const FRONT_RANGES = 2
/** Never sooner than this: a stream takes a round trip and its negotiation. */
const LAG_FLOOR_MS = 400
/** How much longer than expected the first may take. */
const LAG_FACTOR = 3

/**
 * Whether a request lags: it is out for much longer than `bytes` should take at `rate` (the rate of the best other
 * peer, bytes/s), or nothing has come for as long. With no rate measured, only the floor counts, four times over.
 */
export function lags(
  copy: { since: number; heardAt: number },
  bytes: number,
  rate: number | undefined,
  at: number
): boolean {
  const expected = rate === undefined ? LAG_FLOOR_MS * 3 : (bytes / Math.max(1, rate)) * 1000
  const patience = LAG_FLOOR_MS + LAG_FACTOR * expected
  return at - copy.since > patience || at - copy.heardAt > patience
}
