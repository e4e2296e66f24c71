/** Heights `from` … `to`, both included. */
export interface HeightRange {
  readonly from: number
  readonly to: number
}

/** Which heights are held: ranges in ascending order with gaps between them. Pure. */
export type Held = readonly HeightRange[]

export function holds(held: Held, height: number): boolean {
  return held.some(({ from, to }) => from <= height && height <= to)
}

/** With `from` … `to`; ranges that touch become one. */
export function withRange(held: Held, added: HeightRange): Held {
  const apart = held.filter(({ from, to }) => to < added.from - 1 || from > added.to + 1)
  const near = held.filter((range) => !apart.includes(range))
  const from = Math.min(added.from, ...near.map((range) => range.from))
  const to = Math.max(added.to, ...near.map((range) => range.to))
  return [...apart, { from, to }].sort((a, b) => a.from - b.from)
}

export function without(held: Held, removed: HeightRange): Held {
  return held.flatMap(({ from, to }) => [
    ...(from < removed.from ? [{ from, to: Math.min(to, removed.from - 1) }] : []),
    ...(to > removed.to ? [{ from: Math.max(from, removed.to + 1), to }] : [])
  ])
}

/** The lowest held heights below `line`, at most `most` of them; `spared` is none of them. */
export function lowest(held: Held, line: number, most: number, spared: number | undefined): number[] {
  const heights: number[] = []
  for (const { from, to } of held) {
    for (let height = from; height <= to && height < line; height++) {
      if (heights.length === most) return heights
      if (height !== spared) heights.push(height)
    }
  }
  return heights
}
