import type { HeightRange } from '../../src/store/height-ranges.ts'
import type { Random } from '../support/random.ts'
import type { Stored } from './warp-home.ts'
import type { Moment, Step } from './watched-node.ts'

/** What kind of moment: how much of what a step has left to bring has come (at random if undefined), and a delay at most. */
interface Kind {
  readonly step: Step
  readonly part?: number
  readonly delayMs: number
}

/** By the stages of a node's life, in its order. */
const STAGES: readonly (readonly Kind[])[] = [
  [
    { step: 'start', delayMs: 1000 },
    { step: 'manifest', delayMs: 30 }
  ],
  [{ step: 'chunk', delayMs: 10 }],
  [
    { step: 'import', delayMs: 100 },
    { step: 'switch', delayMs: 5 }
  ],
  [{ step: 'above', delayMs: 30 }],
  [
    { step: 'below', delayMs: 30 },
    // While it verifies certificates, or folds all from genesis.
    { step: 'below', part: 1, delayMs: 1500 }
  ]
]
const KINDS = STAGES.flat()

/** The size of a warp, as the moments of its kills need it. */
export interface WarpSize {
  readonly chunks: number
  /** Height of the snapshot. */
  readonly base: number
  readonly tip: number
}

/** Moments at random for the kills of one warp after another. */
export class KillMoments {
  readonly #random: Random
  readonly #size: WarpSize
  #first = true

  constructor(random: Random, size: WarpSize) {
    this.#random = random
    this.#size = size
  }

  /**
   * For one warp: each makes the next moment of what the node has stored by then. The first warp is killed once in each
   * stage, so that even the shortest run sees all of them.
   */
  next(): ((stored: Stored) => Moment)[] {
    const hand = STAGES.map((kinds) => this.#random.pick(this.#first ? kinds : KINDS))
    this.#first = false
    return hand
      .sort((a, b) => KINDS.indexOf(a) - KINDS.indexOf(b))
      .map((kind) => (stored) => this.#moment(kind, stored))
  }

  #moment({ step, part = this.#random.float(), delayMs }: Kind, stored: Stored): Moment {
    return { step, nth: Math.ceil(part * this.#left(step, stored)), delayMs: this.#random.below(delayMs) }
  }

  /** How often the step can come, if nothing comes twice. */
  #left(step: Step, { hasChunk, blocks }: Stored): number {
    const { chunks, base, tip } = this.#size
    if (step === 'chunk') return Array.from({ length: chunks }, (_, i) => i).filter((i) => !hasChunk(i)).length
    if (step === 'above') return countOf(blocks.missing(base + 1, tip))
    if (step === 'below') return countOf(blocks.missing(1, base - 1))
    return 1
  }
}

function countOf(ranges: readonly HeightRange[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0)
}
