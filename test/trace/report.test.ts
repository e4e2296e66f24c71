import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { measureTraces } from '../../src/trace/measures/gossip-measures.ts'
import type { GossipStats } from '../../src/trace/measures/gossip-stats.ts'
import { csvFiles } from '../../src/trace/report/csv.ts'
import { reportText } from '../../src/trace/report/text.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { gossipTraces, peer, START } from './support/gossip-network.ts'
import { SMALL_TRACE } from './support/small-trace.ts'

const TOPICS = ['/moloch/a/blocks/1', 'all', 'with "quotes", commas\nand lines']

test('the report says the numbers in aligned tables', async () => {
  expect(reportText(await measureTraces(SMALL_TRACE))).toBe(`31 records of 3 nodes and 2 topics
2030-03-17T17:46:40.000Z to 2030-03-17T17:46:46.000Z, 6.00 s

Messages
  topic                  messages  published  delivered  duplicates  rejected  delivery ratio
  all topics                    3          2          5           3         2          87.5 %
  /moloch/demo/blocks/1         3          2          5           3         2          87.5 %
  /moloch/demo/votes/1          0          0          0           0         0               –

Propagation delay (ms)
  topic                  samples  mean   p50  p90  p99  max  from publish  from first sighting  clocks disagree
  all topics                   4   162  9.99  600  600  600             2                    2                0
  /moloch/demo/blocks/1        4   162  9.99  600  600  600             2                    2                0
  /moloch/demo/votes/1         0     –     –    –    –    –             0                    0                0

Duplicates per message and node that had it
  topic                  samples  mean  p50  p90  p99  max  p50 to first (ms)  p99 to first (ms)
  all topics                   7  0.43    0    2    2    2               1.00               5.00
  /moloch/demo/blocks/1        7  0.43    0    2    2    2               1.00               5.00
  /moloch/demo/votes/1         0     –    –    –    –    –                  –                  –

First deliverers: shares of the peers that brought a node its messages first
  node       delivered  peers  first              second            third
  …p2PYsfM7          1      1  100.0 % …F4dCrNyH
  …F4dCrNyH          2      2  50.0 % …p2PYsfM7   50.0 % …g6rrq6bT
  …g6rrq6bT          2      2  50.0 % …F4dCrNyH   50.0 % …796WopDd
  share of a node's top peer: 66.7 % in the mean, 100.0 % at most

Mesh
  topic                  mean degree  min  max  grafts  prunes  churn/min  churn/min/node
  all topics                       –    –    –       4       1       50.0            16.7
  /moloch/demo/blocks/1         0.86    0    2       4       1       50.0            16.7
  /moloch/demo/votes/1          0.00    0    0       0       0       0.00            0.00

Lazy gossip
  topic                  IHAVE ids  IWANT ids  asked for  came  came first   yield
  all topics                     2          2          2     1           1  50.0 %
  /moloch/demo/blocks/1          2          2          2     1           1  50.0 %

Control
  kind           sent  ids  bytes  received  ids  bytes
  subscriptions     1    0     26         0    0      0
  IHAVE             0    0      0         1    2     37
  IWANT             1    2     14         0    0      0
  GRAFT             0    0      0         0    0      0
  PRUNE             1    0     27         0    0      0
  IDONTWANT         1    2     14         0    0      0
  envelope          2    0      4         1    0      2
  3 RPCs sent with 1 message and 85 B of control, 85.0 B a message
  2 RPCs received with 1 message and 39 B of control, 39.0 B a message
  1 RPC dropped

Rejected
  topic                  reason         messages
  all topics             bad signature         2
  /moloch/demo/blocks/1  bad signature         2
`)
})

test('the report says what was lost, passes on no control characters, and can be of nothing', async () => {
  expect(reportText(await measureTraces([]))).toBe('no records\n')
  const text = reportText(
    await measureTraces([
      { peerId: peer(1), timestamp: START, type: 'JOIN', topic: 'evil\u001b[2J\u202e' },
      { peerId: peer(1), timestamp: START, type: 'LOST', count: 1200 }
    ])
  )
  expect(text).toContain('LOST: writers let 1,200 records go, so all counts here are lower bounds')
  expect(text).toContain('evil\ufffd[2J\ufffd')
})

test('CSV files read back as the numbers of the JSON', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 0, max: 30 }), async (seed, messages) => {
      const events = gossipTraces(new Random(seed), { nodes: 4, topics: TOPICS, messages, ms: 3000 })
      const stats: GossipStats = JSON.parse(JSON.stringify(await measureTraces(events)))
      const files = new Map(csvFiles(stats).map(({ name, text }) => [name, read(text)]))
      const scopes = [{ ...stats.all, topic: '', scope: 'all' }, ...stats.topics.map((t) => ({ ...t, scope: 'topic' }))]
      const rows = (name: string) => files.get(`${name}.csv`)
      const each = <Row>(rowsOf: (scope: (typeof scopes)[number]) => readonly Row[]) =>
        scopes.flatMap((s) => rowsOf(s).map((row) => ({ scope: s.scope, topic: s.topic, ...row })))

      expect(rows('traces')?.[0]).toEqual({
        records: stats.records,
        ...stats.clock,
        first_ns: BigInt(stats.clock.first_ns ?? 0),
        last_ns: BigInt(stats.clock.last_ns ?? 0),
        lower_bounds: String(stats.lower_bounds),
        lost_records: stats.lost_records,
        horizon_ms: 120_000,
        rpcs_sent: stats.rpcs.sent,
        rpcs_received: stats.rpcs.received,
        rpcs_dropped: stats.rpcs.dropped
      })
      expect(rows('records_by_type')).toEqual(
        Object.entries(stats.records_by_type).map(([type, records]) => ({ type, records }))
      )
      expect(rows('nodes')?.map(({ node, records }) => ({ node, records }))).toEqual(
        stats.nodes.map(({ node, records }) => ({ node, records }))
      )
      expect(rows('rejected')).toEqual(
        each((s) => Object.entries(s.rejected_by_reason).map(([reason, rejected]) => ({ reason, rejected })))
      )
      expect(rows('propagation_delay_cdf')).toEqual(each((s) => s.propagation_delay.cdf))
      expect(rows('time_to_first_duplicate_cdf')).toEqual(each((s) => s.time_to_first_duplicate.cdf))
      expect(rows('duplicates_per_message')).toEqual(each((s) => s.duplicates_per_message.values))
      expect(rows('first_deliverers')).toEqual(
        each((s) => s.first_deliverers.nodes.flatMap(({ node, peers }) => peers.map((p) => ({ node, ...p }))))
      )
      expect(rows('mesh_degree')).toEqual(each((s) => ('mesh_degree' in s ? s.mesh_degree.samples : [])))
      expect(rows('control')).toEqual(
        Object.entries(stats.control).flatMap(([direction, { kinds }]) =>
          Object.entries(kinds).map(([kind, part]) => ({ direction, kind, ...part }))
        )
      )
      expect(rows('summary')?.map(summaryOf)).toEqual(
        scopes.map((s) => [
          ...[s.scope, s.topic, s.messages, s.delivered, s.delivery.ratio, s.duplicates_per_message.mean],
          ...[s.time_to_first_duplicate.p99, s.propagation_delay.p50, s.propagation_delay.max],
          ...[s.first_deliverers.top_share_mean, s.mesh_churn.per_minute],
          ...['mesh_degree' in s ? s.mesh_degree.mean : null, s.gossip_yield.yield]
        ])
      )
      expect(files.size).toBe(11)
    }),
    runs(15)
  )
})

const SUMMARY = [
  ...['scope', 'topic', 'messages', 'delivered', 'delivery_ratio', 'duplicates_per_message_mean'],
  ...['time_to_first_duplicate_p99_ms', 'propagation_delay_p50_ms', 'propagation_delay_max_ms'],
  ...['first_deliverers_top_share_mean', 'mesh_churn_per_minute', 'mesh_degree_mean', 'gossip_yield_yield']
]

function summaryOf(row: Record<string, unknown>): unknown[] {
  return SUMMARY.map((column) => row[column])
}

/** Rows by column; numbers as such, and an empty cell null but for that of a topic. */
function read(text: string): Record<string, unknown>[] {
  return parse(text, {
    columns: true,
    cast: (cell, { header, column }) => {
      if (header || column === 'topic' || column === 'reason') return cell
      if (cell === '') return null
      if (String(column).endsWith('_ns')) return BigInt(cell)
      return Number.isNaN(Number(cell)) ? cell : Number(cell)
    }
  })
}
