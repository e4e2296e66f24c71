import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NodeStatus } from '../../src/devnet/api-client.ts'
import { goalOf } from '../../src/devnet/goal.ts'
import { LateNode } from '../../src/devnet/late-node.ts'
import { Latencies } from '../../src/devnet/latency.ts'
import { duration, wholeNumber } from '../../src/devnet/options.ts'
import { type DevnetResult, disagreement } from '../../src/devnet/result.ts'
import { keySeed, members } from '../../src/devnet/spec.ts'
import { Screen, tableLines } from '../../src/devnet/table.ts'
import { Tokens } from '../../src/devnet/tokens.ts'
import { runs } from '../support/runs.ts'

function status(height: number, strategy = 'gossip'): NodeStatus {
  return {
    chain_id: 'devnet',
    genesis_hash: '',
    peer_id: '',
    role: 'observer',
    state: 'SYNCED',
    sync: {
      strategy,
      height,
      target_height: height + 5,
      blocks_per_second: 0,
      peers: 0,
      stalled: null,
      last_run: null
    },
    finalized: { height, hash: '', timestamp: 0 },
    pending: { height: height + 1, round: 0, signatures: 2, needed: 3 },
    event_total: 10 * height,
    peers: { connected: 4 },
    mempool: { events: 3 }
  }
}

test('percentiles are the nearest rank of all latencies', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(5000), { minLength: 1, maxLength: 300 }),
      fc.integer({ min: 1, max: 100 }),
      (all, p) => {
        const latencies = new Latencies()
        for (const one of all) latencies.add(one)
        const sorted = all.toSorted((a, b) => a - b)
        expect(latencies.percentile(p / 100)).toBe(sorted[Math.ceil((p / 100) * all.length) - 1])
      }
    )
  )
  expect(new Latencies().percentile(0.5)).toBeUndefined()
})

describe('tokens', () => {
  test('come at the rate, however often they are asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.array(fc.integer({ min: 1, max: 400 })), (rate, steps) => {
        const tokens = new Tokens(rate, 0)
        let now = 0
        let taken = 0
        for (const step of steps) {
          now += step
          taken += tokens.take(now, Number.POSITIVE_INFINITY)
        }
        expect(Math.abs(taken - (rate * now) / 1000)).toBeLessThanOrEqual(1.001)
      }),
      {
        ...runs(100),
        examples: [
          [1, [392, 376, 339, 232, 239, 2, 200, 222]],
          [1, Array(10).fill(400)]
        ]
      }
    )
  })

  test('save up at most a second, and give no more than asked', () => {
    const tokens = new Tokens(100, 0)
    expect(tokens.take(60_000, 30)).toBe(30)
    expect(tokens.take(60_000, 1000)).toBe(70)
    expect(tokens.take(60_000, 1000)).toBe(0)
    expect(tokens.take(60_010, -5)).toBe(0)
  })
})

describe('the goal', () => {
  test('a height: the late node joins at two thirds of it, the end is when the slowest is there', () => {
    const goal = goalOf({ untilHeight: 30 })
    expect(goal.joins({ highest: 19, lowest: 19, elapsedMs: 1e9 })).toBe(false)
    expect(goal.joins({ highest: 20, lowest: 0, elapsedMs: 0 })).toBe(true)
    expect(goal.reached({ highest: 31, lowest: 29, elapsedMs: 1e9 })).toBe(false)
    expect(goal.reached({ highest: 31, lowest: 30, elapsedMs: 0 })).toBe(true)
  })

  test('a time, and none', () => {
    expect(goalOf({ for: 60_000 }).joins({ highest: 0, lowest: 0, elapsedMs: 39_999 })).toBe(false)
    expect(goalOf({ for: 60_000 }).joins({ highest: 0, lowest: 0, elapsedMs: 40_000 })).toBe(true)
    expect(goalOf({}).joins({ highest: 20, lowest: 20, elapsedMs: 0 })).toBe(true)
    expect(goalOf({}).reached({ highest: 1e9, lowest: 1e9, elapsedMs: 1e9 })).toBe(false)
  })
})

test('the late node is done after three blocks by gossip, counted anew when it falls back to sync', () => {
  const late = new LateNode(20)
  for (const seen of [status(0, 'range'), status(19), status(20), status(22), status(23, 'range')]) late.see(seen)
  expect(late.done).toBe(false)
  for (const seen of [status(24), status(26)]) late.see(seen)
  expect(late.done).toBe(false)
  late.see(status(27))
  expect(late.done).toBe(true)
})

test('the download of the late node is its longest run', () => {
  const late = new LateNode(20)
  const ran = (from_height: number, to_height: number, peers_used: number) => {
    const seen = status(to_height)
    return { ...seen, sync: { ...seen.sync, last_run: { from_height, to_height, seconds: 0.5, peers_used } } }
  }
  expect(late.result).toBeUndefined()
  late.see(ran(0, 21, 4))
  late.see(ran(22, 24, 1))
  expect(late.result).toEqual({ from_height: 0, blocks: 21, seconds: 0.5, blocks_per_second: 42, peers_used: 4 })
})

test('options accept what they say', () => {
  expect(duration('60s')).toBe(60_000)
  expect(duration('1500ms')).toBe(1500)
  expect(duration('2m')).toBe(120_000)
  for (const wrong of ['', '60', 's', '-1s', '0s', '1.5m', '5 m']) expect(() => duration(wrong)).toThrow('60s')
  expect(wholeNumber(0, 64)('64')).toBe(64)
  for (const wrong of ['', '65', '-1', '1e1', '0x1', ' 1']) expect(() => wholeNumber(0, 64)(wrong)).toThrow('0 to 64')
})

test('keys are a function of seed, purpose and name', () => {
  const seeds = [
    keySeed(1, 'chain', 'a'),
    keySeed('ab'.repeat(32), 'chain', 'a'),
    keySeed(2, 'chain', 'a'),
    keySeed(1, 'peer', 'a'),
    keySeed(1, 'chain', 'b')
  ]
  expect(new Set(seeds.map(String)).size).toBe(5)
  expect(keySeed(1, 'chain', 'a')).toEqual(seeds[0])
  expect(members({ validators: 2, nodes: 1, light: 1, late: true }).map((member) => member.name)).toEqual([
    'validator-1',
    'validator-2',
    'node-1',
    'light-1',
    'late'
  ])
})

test('who is on another chain is named', () => {
  const node = (name: string, hash: string) => ({
    name,
    role: 'full',
    api: '',
    peer_id: '',
    finalized_height: 7,
    finalized_hash: hash
  })
  const result = (nodes: DevnetResult['nodes']): DevnetResult => ({
    chain_id: 'devnet',
    finalized_height: 7,
    events_finalized: 1,
    finality_ms: { p50: 1, p99: 1 },
    late_node: null,
    nodes,
    trace: null
  })
  expect(disagreement(result([node('a', 'aa'), node('b', 'aa')]))).toBeUndefined()
  expect(disagreement(result([node('a', 'aa'), node('b', 'bb')]))).toBe('the nodes do not agree on block 7: a aa, b bb')
  expect(disagreement(result([node('a', 'aa'), node('b', '')]))).toContain('b none')
})

describe('the table', () => {
  const picture = {
    names: ['validator-1', 'late'],
    statuses: new Map([['validator-1', status(12)]]),
    feed: { submitted: 100, finalized: 90, refused: 0, p50: 800, p99: 1400 },
    target: ' of 30',
    elapsedMs: 12_345,
    note: 'a note'
  }

  test('has a row a node, in columns, and fits the width', () => {
    expect(tableLines(picture, 200)).toEqual([
      '12 s · height 12 of 30 · events 100 submitted, 120 finalized · finality p50 800 ms, p99 1400 ms · 1 nodes answer',
      '',
      'node         state        height     pending  sync    peers  mempool',
      'validator-1  SYNCED           12    13 (2/3)  gossip      4        3',
      'late         not running       -           -  -           -        -',
      '',
      'a note'
    ])
    for (const line of tableLines(picture, 40)) expect(line.length).toBeLessThanOrEqual(40)
  })

  test('is a line every ten seconds where it cannot be redrawn', () => {
    const written: string[] = []
    const out = { isTTY: false, write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream
    const screen = new Screen(out)
    for (const elapsedMs of [0, 5000, 9999, 10_000, 19_000, 20_500]) screen.draw({ ...picture, elapsedMs })
    expect(written.map((line) => line.slice(0, 4))).toEqual(['0 s ', '10 s', '21 s'])
    expect(written.join('')).not.toContain('\x1b')
  })
})
