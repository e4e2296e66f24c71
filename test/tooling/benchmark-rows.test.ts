import { describe, expect, it, test } from 'vitest'
import { proofRow } from '../../scripts/benchmarks/proof-event.ts'
import { median, rowOf, table } from '../../scripts/benchmarks/rows.ts'
import { loadRow, type Phase } from '../../scripts/benchmarks/serve-load.ts'
import { type Measured, parallelRow } from '../../scripts/benchmarks/sync-parallel.ts'
import { costRow } from '../../scripts/benchmarks/trace-cost.ts'

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

describe('the row of several slow peers', () => {
  // 2000 blocks of 25 000 bytes: 100 blocks/s are 20 Mbit/s.
  const measured = (servers: number, seconds: readonly number[]): Measured => ({
    servers,
    megabits: 20,
    bytesPerBlock: 25_000,
    figures: seconds.map((seconds) => ({ seconds, peersUsed: servers })),
    how: 'tc'
  })

  it('is compared with one of them, and with what they may send together', () => {
    const row = parallelRow('sync.parallel.2', measured(2, [10, 12.5, 11]), measured(1, [20, 25, 20]))
    expect(row).toMatchObject({ unit: 'blocks/s', baseline: 100, conditions: { 'peers used': 2, processes: 3 } })
    expect(row.value).toBeCloseTo(181.8, 1)
    expect(row.ratio).toBeCloseTo(1.818, 3)
    expect(row.conditions).toMatchObject({ 'share of the limit': 0.9091, 'runs of one peer': [100, 80, 100] })
  })

  it('has nothing to be compared with when it is one', () => {
    const one = measured(1, [20])
    expect(parallelRow('sync.parallel.1', one, one)).toMatchObject({ value: 100, baseline: null, ratio: null })
  })
})

test('the row of a serving validator is compared with the medians of a serving full node', () => {
  const phase = (p99: number, limited: number): Phase => ({
    p50: p99 / 2,
    p99,
    served: 10,
    eaten: { blocks: 1, bytes: 1, limited, failed: 0 }
  })
  const row = loadRow([phase(1000, 0), phase(2000, 0)], [phase(3000, 4), phase(1500, 6)], { clients: 50 })
  expect(row).toMatchObject({ value: 2250, baseline: 1500, ratio: 1.5, unit: 'ms' })
  expect(row.conditions).toMatchObject({ clients: 50, 'p50 ms': 1125, 'refused for the rate': 5, runs: [3000, 1500] })
})

test('the row of what a trace costs is the median of the ratios of pairs', () => {
  const pairs = [
    { on: 2, off: 1 },
    { on: 11, off: 10 },
    { on: 6, off: 4 }
  ]
  const row = costRow(pairs, { validators: 4 })
  expect(row).toMatchObject({ value: 1.5, baseline: 1, ratio: 1.5 })
  expect(row.conditions).toEqual({
    validators: 4,
    'on CPU ms/event': 6,
    'off CPU ms/event': 4,
    runs: [2, 1.1, 1.5]
  })
})

test('the row of a proof has the medians of its runs, and the largest of all proofs', () => {
  const run = (...ms: number[]) => ms.map((makeMs) => ({ makeMs, verifyMs: makeMs / 2, bytes: 100 * makeMs }))
  const row = proofRow([run(1, 2, 9), run(3, 4, 5), run(1, 1, 1)], { blocks: 7 })
  expect(row).toMatchObject({ name: 'proof.event', value: 2, unit: 'ms', baseline: null })
  expect(row.conditions).toEqual({
    blocks: 7,
    proofs: 3,
    'check ms': 1,
    'bytes beside the event, at most': 900,
    runs: [2, 4, 1]
  })
})
