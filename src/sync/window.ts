import { MolochError } from '../error.ts'
import { BLOCKS, type RangeKind } from './policy/kind.ts'
import { heldBytes } from './policy/weight.ts'
import { Range } from './range.ts'

/** Requests that must fit beside the front's own reserve: with fewer the pipeline would have no look-ahead at all. */
const MIN_REQUESTS = 4

/**
 * The ranges between the ledger's tip and the first height not asked for yet, in order and without gaps, and the byte
 * bound over all of them in every state. It keeps two promises:
 *
 * - `held` never exceeds `bound`: an open request always holds room for one more frame, so what arrives fits.
 * - ranges above the front never take the last `frontReserve` bytes, so the lowest missing height can always be
 *   asked for, or full buffers above it would wait for it for ever.
 */
export class Window {
  readonly bound: number
  /** Of one frame at most. */
  readonly frameBytes: number
  readonly kind: RangeKind
  readonly #ranges: Range[] = []
  #next: number
  #ids = 0

  /** @throws MolochError SYNC_LOOKAHEAD_TOO_SMALL */
  constructor(next: number, bound: number, frameBytes: number, kind: RangeKind = BLOCKS) {
    this.#next = next
    this.bound = bound
    this.frameBytes = frameBytes
    this.kind = kind
    const least = MIN_REQUESTS * this.frontReserve
    if (bound < least) {
      const message = `the sync look-ahead is ${bound} bytes; ${kind.noun}s of this chain need at least ${least}`
      throw new MolochError('SYNC_LOOKAHEAD_TOO_SMALL', message, { bound, least })
    }
  }

  get ranges(): readonly Range[] {
    return this.#ranges
  }

  /** The first height that no range covers. */
  get next(): number {
    return this.#next
  }

  get front(): Range | undefined {
    return this.#ranges[0]
  }

  get held(): number {
    return this.#ranges.reduce((sum, range) => sum + range.held, 0)
  }

  get frontReserve(): number {
    return this.roomFor(0, 0, this.kind.most)
  }

  /** What a request must hold that has brought `blocks` of `bytes` and may bring `more`: all of that and one frame. */
  roomFor(blocks: number, bytes: number, more: number): number {
    return more > 0 ? heldBytes(blocks + more, bytes + this.frameBytes) : heldBytes(blocks, bytes)
  }

  /** Bytes that `range` (undefined: one cut at `next`) may still take. */
  available(range: Range | undefined): number {
    const total = this.held
    const front = this.front
    const free = this.bound - total
    if (front === undefined || range === front) return free
    return Math.min(free, this.bound - this.frontReserve - (total - front.held))
  }

  /** A new range of `count` blocks at `next`. */
  append(count: number): Range {
    const range = new Range(this.#ids++, this.#next, count)
    this.#ranges.push(range)
    this.#next += count
    return range
  }

  /** Cuts `range` after `keep` blocks; the rest follows it as a range of its own. */
  cut(range: Range, keep: number): Range {
    const rest = range.cut(keep, this.#ids++)
    this.#ranges.splice(this.#ranges.indexOf(range) + 1, 0, rest)
    return rest
  }

  find(id: number): Range | undefined {
    return this.#ranges.find((range) => range.id === id)
  }

  /** The range that `request` is out for. */
  findRequest(request: number): Range | undefined {
    return this.#ranges.find(
      ({ state }) => state.status === 'Downloading' && state.copies.some((copy) => copy.request === request)
    )
  }

  remove(range: Range): void {
    this.#ranges.splice(this.#ranges.indexOf(range), 1)
  }

  /** Nothing at or below `tip` is cut from now on. */
  skipTo(tip: number): void {
    if (this.#next <= tip) this.#next = tip + 1
  }

  /** Back to nothing above `tip`. */
  clear(tip: number): void {
    this.#ranges.length = 0
    this.#next = tip + 1
  }
}
