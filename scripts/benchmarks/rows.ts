/** One figure. `null` where there is nothing to compare with. */
export interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What `value` is compared with, in the same unit. */
  readonly baseline: number | null
  /** value / baseline */
  readonly ratio: number | null
  /** What was measured on what, and the single runs that `value` is the median of. */
  readonly conditions: Readonly<Record<string, string | number | readonly number[]>>
}

/** The middle one, or the mean of the middle two. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no value has no median')
  const sorted = [...values].sort((a, b) => a - b)
  const high = sorted[Math.floor(sorted.length / 2)] as number
  const low = sorted[Math.ceil(sorted.length / 2) - 1] as number
  return (low + high) / 2
}

/** A row whose value is the median of its runs. */
export function rowOf(
  name: string,
  runs: readonly number[],
  unit: string,
  conditions: Row['conditions'],
  baseline: number | null = null
): Row {
  const value = median(runs)
  const ratio = baseline === null ? null : value / baseline
  return { name, value, unit, baseline, ratio, conditions: { ...conditions, runs: runs.map(rounded) } }
}

/** Four significant digits: no benchmark here is more exact. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4))
}

export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ name, value, unit, baseline, ratio, conditions }) => [
    name,
    String(rounded(value)),
    unit,
    baseline === null ? '' : String(rounded(baseline)),
    ratio === null ? '' : ratio.toFixed(3),
    Object.entries(conditions)
      .map(([key, condition]) => `${key} ${Array.isArray(condition) ? condition.join('/') : condition}`)
      .join(', ')
  ])
  const all = [['name', 'value', 'unit', 'baseline', 'ratio', 'conditions'], ...cells]
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...all.map((row) => (row[i] as string).length)))
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}
