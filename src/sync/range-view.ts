import type { Range } from './range.ts'
import type { RangePeerView, RangeView } from './types.ts'

/** A range for people: what it waits for, since when, and who is at it. */
export function rangeView(range: Range, at: number): RangeView {
  const { start, count, status, attempts, since } = range
  return { start, count, status, attempts, seconds: Math.max(0, at - since) / 1000, peers: peersOf(range, at) }
}

function peersOf({ state }: Range, at: number): RangePeerView[] {
  if (state.status === 'Downloading') {
    return state.copies.map(({ peer, since, bytes }) => ({ peer, bytes, seconds: Math.max(0, at - since) / 1000 }))
  }
  return 'peer' in state ? [{ peer: state.peer, bytes: state.bytes, seconds: undefined }] : []
}
