/** When a run is over, and when its late node joins. */

export interface Progress {
  /** The highest finalized height of any node, and the lowest of those that run. */
  readonly highest: number
  readonly lowest: number
  readonly elapsedMs: number
}

export interface Goal {
  /** For people: ` of 30`, or nothing. */
  readonly shown: string
  joins(progress: Progress): boolean
  reached(progress: Progress): boolean
}

/** Without a goal the late node joins here: early enough to be watched, late enough to have something to catch up. */
const JOIN_HEIGHT = 20

export function goalOf(options: { readonly untilHeight?: number; readonly for?: number }): Goal {
  const { untilHeight, for: time } = options
  const twoThirds = (of: number) => Math.ceil((of * 2) / 3)
  if (untilHeight === undefined && time === undefined) {
    return { shown: '', joins: ({ highest }) => highest >= JOIN_HEIGHT, reached: () => false }
  }
  // With both, both count: the run ends when the last of them is reached.
  return {
    shown: [
      ...(untilHeight === undefined ? [] : [` of ${untilHeight}`]),
      ...(time === undefined ? [] : [` for ${time / 1000} s`])
    ].join(''),
    joins: ({ highest, elapsedMs }) => highest >= twoThirds(untilHeight ?? 0) && elapsedMs >= twoThirds(time ?? 0),
    reached: ({ lowest, elapsedMs }) => lowest >= (untilHeight ?? 0) && elapsedMs >= (time ?? 0)
  }
}
