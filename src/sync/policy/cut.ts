import { BLOCKS, type RangeKind } from './kind.ts'

/** Wire bytes that a range aims at: long enough to hide the cost of a stream, short enough to be refetched. */
export const RANGE_BYTES = 1024 * 1024
/** A range should not take a peer longer than this, or a slow peer that gets the front holds up all others. */
export const RANGE_SECONDS = 2

export interface CutInput {
  /** Heights not asked of anybody yet. */
  readonly missing: number
  /** Peers that can serve. */
  readonly peers: number
  /** Wire bytes a block, as measured; undefined before the first answer. */
  readonly bytesPerBlock: number | undefined
  /** Measured bytes/s of the peer that is to be asked. */
  readonly rate: number | undefined
  /** What this peer's last cut-short answer held, in bytes: it will not send more. */
  readonly answerBytes: number | undefined
  /** Wire bytes of the look-ahead that one request may take at most, so that every peer gets its share. */
  readonly shareBytes: number
}

/** Wire bytes that ranges of large blocks still aim at when many peers share the look-ahead. */
const LEAST_SHARE_BYTES = 128 * 1024

/**
 * Wire bytes of the look-ahead that one of `slots` requests may take, so that all of them can be out with as much ready
 * or on its way behind them. A request holds twice its bytes and one frame, what is behind it twice its bytes. Where
 * that would leave nothing but frames, fewer requests are out.
 */
export function shareBytes(bound: number, slots: number, frameBytes: number): number {
  const most = Math.max(1, Math.floor(bound / (2 * frameBytes + 4 * LEAST_SHARE_BYTES)))
  return (bound / Math.min(slots, most) - 2 * frameBytes) / 4
}

/** How many blocks the next range asks for: by bytes once blocks have been weighed, and shared out near the end. */
export function cutBlocks(input: CutInput, kind: RangeKind = BLOCKS): number {
  const share = Math.ceil(input.missing / (2 * Math.max(1, input.peers)))
  let blocks = kind.first
  if (input.bytesPerBlock !== undefined) {
    const bytes = Math.min(
      RANGE_BYTES,
      input.shareBytes,
      input.answerBytes ?? Number.POSITIVE_INFINITY,
      (input.rate ?? Number.POSITIVE_INFINITY) * RANGE_SECONDS
    )
    blocks = Math.floor(bytes / Math.max(1, input.bytesPerBlock))
  }
  const count = Math.min(input.missing, kind.most, Math.max(kind.least, Math.min(blocks, share)))
  return count > kind.write ? count - (count % kind.write) : count
}
