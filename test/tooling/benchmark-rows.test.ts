import { describe, expect, it } from 'vitest'
import { median, rowOf, table } from '../../scripts/benchmarks/rows.ts'

describe('the rows of a benchmark', () => {
  it('are medians of their runs', () => {
    expect(median([5, 1, 3])).toBe(3)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([7])).toBe(7)
    expect(() => median([])).toThrow(RangeError)
  })

  it('show the single runs, and a ratio only where there is a baseline', () => {
    expect(rowOf('a', [1, 30, 2], 'MB/s', { of: 'x' })).toEqual({
      name: 'a',
      value: 2,
      unit: 'MB/s',
      baseline: null,
      ratio: null,
      conditions: { of: 'x', runs: [1, 30, 2] }
    })
    expect(rowOf('a', [3], 'MB/s', {}, 12)).toMatchObject({ baseline: 12, ratio: 0.25 })
  })

  it('line up in a table', () => {
    const rows = [rowOf('short', [1], 'ms', {}), rowOf('much.longer', [12345.678], 'blocks/s', { of: 'x' }, 24_691)]
    expect(table(rows).split('\n')).toEqual([
      'name         value  unit      baseline  ratio  conditions',
      'short        1      ms                         runs 1',
      'much.longer  12350  blocks/s  24690     0.500  of x, runs 12350'
    ])
  })
})
