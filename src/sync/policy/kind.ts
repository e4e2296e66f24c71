/** What travels in ranges, and how many of it at a time. Counts are of blocks, or of headers. */
export interface RangeKind {
  /** For people. */
  readonly noun: 'block' | 'header'
  /** That one request may ask for (protocol §9). */
  readonly most: number
  /** Opening a stream costs milliseconds: fewer than this are not worth one, unless fewer are missing. */
  readonly least: number
  /** The first requests, before any answer has shown what one weighs. */
  readonly first: number
  /** Ranges of more are multiples of this: what one write takes, so that none is left half full. */
  readonly write: number
  /** Of one job for the checker: several jobs a range, so that all threads work on the lowest one. */
  readonly job: number
}

export const BLOCKS: RangeKind = { noun: 'block', most: 512, least: 4, first: 64, write: 32, job: 16 }

/** Under a kilobyte each, and their certificate is all that there is to check: more travel together. */
export const HEADERS: RangeKind = { noun: 'header', most: 1024, least: 16, first: 256, write: 256, job: 128 }
