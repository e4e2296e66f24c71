import type { DelayStats, DistributionStats, GossipStats, ScopeStats, TopicStats } from '../measures/gossip-stats.ts'

export type Cell = string | number | boolean | null

/** A measure as rows, for CSV. Names of columns are those of GossipStats wherever that has one. */
export interface StatsTable {
  readonly name: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

type Scope = ScopeStats & Partial<Pick<TopicStats, 'topic' | 'mesh_degree'>>

/** All of the stats. A row on all topics has the scope `all` and no topic, others `topic` and its name. */
export function statsTables(stats: GossipStats): StatsTable[] {
  const scopes: readonly Scope[] = [stats.all, ...stats.topics]
  return [
    fromRecords('traces', [
      {
        records: stats.records,
        ...stats.clock,
        lower_bounds: stats.lower_bounds,
        lost_records: stats.lost_records,
        horizon_ms: stats.horizon_ms,
        rpcs_sent: stats.rpcs.sent,
        rpcs_received: stats.rpcs.received,
        rpcs_dropped: stats.rpcs.dropped
      }
    ]),
    {
      name: 'records_by_type',
      columns: ['type', 'records'],
      rows: Object.entries(stats.records_by_type)
    },
    {
      name: 'nodes',
      columns: ['node', 'records', 'lost_records', 'first_ns', 'last_ns', 'span_ms'],
      rows: stats.nodes.map(({ node, records, lost_records, clock }) => [
        node,
        records,
        lost_records,
        clock.first_ns,
        clock.last_ns,
        clock.span_ms
      ])
    },
    fromRecords(
      'summary',
      scopes.map((scope) => ({ ...scopeCells(scope), ...summary(scope) }))
    ),
    perScope('rejected', scopes, ['reason', 'rejected'], (scope) => Object.entries(scope.rejected_by_reason)),
    perScope('propagation_delay_cdf', scopes, ['delay_ms', 'share'], (scope) => cdfRows(scope.propagation_delay)),
    perScope('time_to_first_duplicate_cdf', scopes, ['delay_ms', 'share'], (scope) =>
      cdfRows(scope.time_to_first_duplicate)
    ),
    perScope('duplicates_per_message', scopes, ['duplicates', 'messages'], (scope) =>
      scope.duplicates_per_message.values.map(({ duplicates, messages }) => [duplicates, messages])
    ),
    perScope('first_deliverers', scopes, ['node', 'peer', 'delivered', 'share'], (scope) =>
      scope.first_deliverers.nodes.flatMap(({ node, peers }) =>
        peers.map(({ peer, delivered, share }) => [node, peer, delivered, share])
      )
    ),
    perScope('mesh_degree', scopes, ['at_ms', 'nodes', 'mean', 'min', 'max'], (scope) =>
      (scope.mesh_degree?.samples ?? []).map(({ at_ms, nodes, mean, min, max }) => [at_ms, nodes, mean, min, max])
    ),
    {
      name: 'control',
      columns: ['direction', 'kind', 'count', 'ids', 'bytes'],
      rows: Object.entries(stats.control).flatMap(([direction, { kinds }]) =>
        Object.entries(kinds).map(([kind, { count, ids, bytes }]) => [direction, kind, count, ids, bytes])
      )
    }
  ]
}

function scopeCells({ topic }: Scope): { scope: string; topic: string | null } {
  return topic === undefined ? { scope: 'all', topic: null } : { scope: 'topic', topic }
}

function summary(scope: Scope): Record<string, Cell> {
  const { propagation_delay: delay, mesh_churn: churn, gossip_yield } = scope
  return {
    messages: scope.messages,
    published: scope.published,
    delivered: scope.delivered,
    duplicates: scope.duplicates,
    rejected: scope.rejected,
    delivery_expected: scope.delivery.expected,
    delivery_had: scope.delivery.had,
    delivery_ratio: scope.delivery.ratio,
    ...distribution('duplicates_per_message', '', scope.duplicates_per_message),
    ...distribution('time_to_first_duplicate', '_ms', scope.time_to_first_duplicate),
    ...distribution('propagation_delay', '_ms', delay),
    propagation_delay_from_publish: delay.from_publish,
    propagation_delay_from_first_sighting: delay.from_first_sighting,
    propagation_delay_negative: delay.negative,
    first_deliverers_top_share_mean: scope.first_deliverers.top_share_mean,
    first_deliverers_top_share_max: scope.first_deliverers.top_share_max,
    mesh_churn_grafts: churn.grafts,
    mesh_churn_prunes: churn.prunes,
    mesh_churn_per_minute: churn.per_minute,
    mesh_churn_per_node_minute: churn.per_node_minute,
    mesh_degree_mean: scope.mesh_degree?.mean ?? null,
    gossip_yield_ihave_ids: gossip_yield.ihave_ids,
    gossip_yield_iwant_ids: gossip_yield.iwant_ids,
    gossip_yield_asked: gossip_yield.asked,
    gossip_yield_came: gossip_yield.came,
    gossip_yield_came_first: gossip_yield.came_first,
    gossip_yield_yield: gossip_yield.yield
  }
}

function distribution(name: string, unit: string, stats: DistributionStats): Record<string, Cell> {
  return {
    [`${name}_count`]: stats.count,
    [`${name}_mean${unit}`]: stats.mean,
    [`${name}_p50${unit}`]: stats.p50,
    [`${name}_p90${unit}`]: stats.p90,
    [`${name}_p99${unit}`]: stats.p99,
    [`${name}_max${unit}`]: stats.max
  }
}

function cdfRows({ cdf }: DelayStats): Cell[][] {
  return cdf.map(({ delay_ms, share }) => [delay_ms, share])
}

function perScope(
  name: string,
  scopes: readonly Scope[],
  columns: readonly string[],
  rowsOf: (scope: Scope) => readonly (readonly Cell[])[]
): StatsTable {
  const rows = scopes.flatMap((scope) => rowsOf(scope).map((row) => [...Object.values(scopeCells(scope)), ...row]))
  return { name, columns: ['scope', 'topic', ...columns], rows }
}

function fromRecords(name: string, records: readonly Readonly<Record<string, Cell>>[]): StatsTable {
  return { name, columns: Object.keys(records[0] ?? {}), rows: records.map((record) => Object.values(record)) }
}
