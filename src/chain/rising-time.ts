/**
 * Timestamps for what one key signs, in Unix ms, each above the one before: two events with equal content that are
 * signed within a millisecond are two events, but with equal timestamps they would have one id. Whoever signs more than
 * one event a millisecond gets ahead of the clock, by no more than that.
 * @param now a clock in Unix ms
 */
export function risingTime(now: () => number): () => number {
  let last = Number.NEGATIVE_INFINITY
  return () => {
    last = Math.max(now(), last + 1)
    return last
  }
}
