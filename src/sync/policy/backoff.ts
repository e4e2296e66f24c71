/** How long things wait after a failure. Times in milliseconds. */

/** A peer that has just failed a range is not asked for it again while another one holds it, for this long. */
export const FAILED_RANGE_MS = 5_000
/** A peer whose block was provably bad is not asked for anything: an honest one never sends such a block. */
export const BARRED_MS = 600_000
/** For a RATE_LIMITED answer that does not say how long. */
export const DEFAULT_RETRY_AFTER_MS = 1_000
/** Nobody makes us wait longer than this: a refusal with a huge `retry_after_ms` must not shut a peer out for good. */
export const MAX_RETRY_AFTER_MS = 60_000
/** After RATE_LIMITED a peer gets one request at a time for this long: keep to what it grants. */
export const LIMITED_MS = 30_000

const FIRST_FAILURE_MS = 250
const MAX_FAILURE_MS = 30_000

/** The pause of a peer after its `failures`-th failure in a row. */
export function failurePause(failures: number): number {
  return Math.min(MAX_FAILURE_MS, FIRST_FAILURE_MS * 2 ** Math.min(20, Math.max(0, failures - 1)))
}

/** When the only peer that holds a range may be asked for it again. */
export function rangePause(attempts: number): number {
  return Math.min(MAX_FAILURE_MS / 4, FIRST_FAILURE_MS * 2 ** Math.min(20, Math.max(0, attempts - 1)))
}
