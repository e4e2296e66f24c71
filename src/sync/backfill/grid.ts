import type { HeightRange } from '../../ledger/history.ts'

/**
 * The heights 1 … top as pieces of `size` heights, the topmost first. Pieces begin at multiples of `size`, whatever the
 * top is: after a restart they are the same ones.
 */
export class PieceGrid {
  readonly count: number
  readonly #size: number
  readonly #top: number

  constructor(top: number, size: number) {
    this.#top = top
    this.#size = size
    this.count = Math.ceil(top / size)
  }

  heights(piece: number): HeightRange {
    const from = (this.count - 1 - piece) * this.#size + 1
    return { from, to: Math.min(this.#top, from + this.#size - 1) }
  }

  /** The pieces that lie wholly in heights `from` … `to`; undefined: there are none. */
  within(from: number, to: number): { readonly from: number; readonly to: number } | undefined {
    const first = this.count - (to >= this.#top ? this.count : Math.floor(to / this.#size))
    const last = this.count - 1 - Math.ceil((Math.max(1, from) - 1) / this.#size)
    return first <= last ? { from: first, to: last } : undefined
  }
}
