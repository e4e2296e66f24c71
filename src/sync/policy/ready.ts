import { RANGE_BYTES, RANGE_SECONDS } from './cut.ts'

/**
 * Bytes (as the bound counts them) that may be ready from the front up without a gap. With more, checking or writing
 * is what takes long: to download on would only take memory. A gap lifts this: then what is above it is needed later.
 */
const READY_BYTES = 8 * 1024 * 1024
/**
 * What checking and writing get through in a second, at the least: this much more may be ready for each second until a
 * peer's answer is whole, or many slow peers that answered at the same time would all idle until that is written.
 */
const DRAIN_BYTES_PER_SECOND = 32 * 1024 * 1024

export interface Asked {
  /** Measured bytes/s. */
  readonly rate: number | undefined
  /** Requests that are out at this peer and share its rate. */
  readonly active: number
}

/** How much may be ready when this peer is asked for more: a fast one is asked just in time, a slow one ahead of it. */
export function readyLimit(peer: Asked, bound: number): number {
  const base = Math.min(READY_BYTES, bound / 4)
  if (peer.rate === undefined) return base
  const seconds = Math.min(RANGE_SECONDS, (RANGE_BYTES * (peer.active + 1)) / Math.max(1, peer.rate))
  return Math.min(bound / 2, base + DRAIN_BYTES_PER_SECOND * seconds)
}
