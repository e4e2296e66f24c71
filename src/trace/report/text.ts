import {
  CONTROL_KINDS,
  type DistributionStats,
  type GossipStats,
  type ScopeStats,
  type TopicStats
} from '../measures/gossip-stats.ts'
import { amount, count, percent, shortPeer } from './numbers.ts'
import { printable } from './printable.ts'
import { textTable } from './text-table.ts'

/** Rows of nodes, of which the JSON and CSV have all. */
const MOST_NODES = 20
const MOST_PEERS = 3

/** The stats for people, in sections of a title and a table. */
export function reportText(stats: GossipStats): string {
  if (stats.records === 0) return 'no records\n'
  const scopes = scopesOf(stats)
  const sections = [
    head(stats),
    section('Messages', messages(scopes)),
    section('Propagation delay (ms)', delays(scopes)),
    section('Duplicates per message and node that had it', duplicates(scopes)),
    section('First deliverers: shares of the peers that brought a node its messages first', firstDeliverers(stats)),
    section('Mesh', mesh(stats)),
    section('Lazy gossip', gossip(scopes)),
    section('Control', control(stats)),
    section('Rejected', rejected(scopes))
  ]
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`
}

type Named = readonly [name: string, scope: ScopeStats]

/** All is left out where it would repeat the one topic. */
function scopesOf({ all, topics }: GossipStats): Named[] {
  const named = topics.map((topic): Named => [printable(topic.topic), topic])
  return named.length === 1 ? named : [['all topics', all], ...named]
}

function section(title: string, table: string): string {
  return table === '' ? '' : `${title}\n${table.replaceAll(/^/gm, '  ')}`
}

function head({ nodes, topics, records, clock, lower_bounds, lost_records }: GossipStats): string {
  const of = `${count(records)} records of ${plural(nodes.length, 'node')} and ${plural(topics.length, 'topic')}`
  const when = `${timeText(clock.first_ns)} to ${timeText(clock.last_ns)}, ${amount(clock.span_ms / 1000)} s`
  if (!lower_bounds) return `${of}\n${when}`
  return `${of}\n${when}\nLOST: writers let ${plural(lost_records, 'record')} go, so all counts here are lower bounds`
}

function messages(scopes: readonly Named[]): string {
  return textTable(
    ['topic', 'messages', 'published', 'delivered', 'duplicates', 'rejected', 'delivery ratio'],
    scopes.map(([name, s]) => [
      name,
      ...[s.messages, s.published, s.delivered, s.duplicates, s.rejected].map(count),
      percent(s.delivery.ratio)
    ])
  )
}

function delays(scopes: readonly Named[]): string {
  const rows = scopes.map(([name, { propagation_delay: d }]) => [
    name,
    ...distribution(d, amount),
    ...[d.from_publish, d.from_first_sighting, d.negative].map(count)
  ])
  return textTable(['topic', ...DISTRIBUTION, 'from publish', 'from first sighting', 'clocks disagree'], rows)
}

function duplicates(scopes: readonly Named[]): string {
  const rows = scopes.map(([name, s]) => [
    name,
    ...distribution(s.duplicates_per_message, (value) => (value === null ? '–' : count(value))),
    amount(s.time_to_first_duplicate.p50),
    amount(s.time_to_first_duplicate.p99)
  ])
  return textTable(['topic', ...DISTRIBUTION, 'p50 to first (ms)', 'p99 to first (ms)'], rows)
}

const DISTRIBUTION = ['samples', 'mean', 'p50', 'p90', 'p99', 'max']

function distribution(d: DistributionStats, text: (value: number | null) => string): string[] {
  return [count(d.count), amount(d.mean), ...[d.p50, d.p90, d.p99, d.max].map(text)]
}

function firstDeliverers({ all }: GossipStats): string {
  const { nodes, top_share_mean, top_share_max } = all.first_deliverers
  if (nodes.length === 0) return ''
  const rows = nodes.slice(0, MOST_NODES).map(({ node, delivered, peers }) => {
    const top = Array.from({ length: MOST_PEERS }, (_, i) => peers[i])
    return [
      shortPeer(node),
      count(delivered),
      count(peers.length),
      ...top.map((peer) => (peer === undefined ? '' : `${percent(peer.share)} ${shortPeer(peer.peer)}`))
    ]
  })
  const table = textTable(['node', 'delivered', 'peers', 'first', 'second', 'third'], rows)
  const more = nodes.length > MOST_NODES ? `\nand ${plural(nodes.length - MOST_NODES, 'node')} more` : ''
  return `${table}${more}\nshare of a node's top peer: ${percent(top_share_mean)} in the mean, ${percent(top_share_max)} at most`
}

function mesh({ topics, all }: GossipStats): string {
  const row = (name: string, { mesh_churn: churn }: ScopeStats, degree: TopicStats['mesh_degree'] | undefined) => [
    name,
    amount(degree?.mean ?? null),
    ...(['min', 'max'] as const).map((end) => {
      const values = degree?.samples.map((sample) => sample[end]) ?? []
      // Not Math.min(...values): there is a sample for every step of a trace of any length.
      return values.length === 0 ? '–' : count(values.reduce((a, b) => Math[end](a, b)))
    }),
    count(churn.grafts),
    count(churn.prunes),
    amount(churn.per_minute),
    amount(churn.per_node_minute)
  ]
  return textTable(
    ['topic', 'mean degree', 'min', 'max', 'grafts', 'prunes', 'churn/min', 'churn/min/node'],
    [
      ...(topics.length === 1 ? [] : [row('all topics', all, undefined)]),
      ...topics.map((topic) => row(printable(topic.topic), topic, topic.mesh_degree))
    ]
  )
}

function gossip(scopes: readonly Named[]): string {
  const rows = scopes
    .filter(([, { gossip_yield: g }]) => g.ihave_ids + g.iwant_ids > 0)
    .map(([name, { gossip_yield: g }]) => [
      name,
      ...[g.ihave_ids, g.iwant_ids, g.asked, g.came, g.came_first].map(count),
      percent(g.yield)
    ])
  if (rows.length === 0) return ''
  return textTable(['topic', 'IHAVE ids', 'IWANT ids', 'asked for', 'came', 'came first', 'yield'], rows)
}

function control({ rpcs, control: { sent, received } }: GossipStats): string {
  if (rpcs.sent + rpcs.received + rpcs.dropped === 0) return ''
  const rows = CONTROL_KINDS.map((kind) => [
    kind === 'subscriptions' || kind === 'envelope' ? kind : kind.toUpperCase(),
    ...[sent, received].flatMap(({ kinds: { [kind]: part } }) => [part.count, part.ids, part.bytes].map(count))
  ])
  const header = ['kind', 'sent', 'ids', 'bytes', 'received', 'ids', 'bytes']
  const per = (name: string, of: number, { messages: carried, bytes, bytes_per_message }: typeof sent) =>
    `${plural(of, 'RPC')} ${name} with ${plural(carried, 'message')} and ${count(bytes)} B of control` +
    (bytes_per_message === null ? '' : `, ${amount(bytes_per_message)} B a message`)
  return [
    textTable(header, rows),
    per('sent', rpcs.sent, sent),
    per('received', rpcs.received, received),
    `${plural(rpcs.dropped, 'RPC')} dropped`
  ].join('\n')
}

function rejected(scopes: readonly Named[]): string {
  const rows = scopes.flatMap(([name, { rejected_by_reason }]) =>
    Object.entries(rejected_by_reason).map(([reason, n]) => [name, printable(reason), count(n)])
  )
  return rows.length === 0 ? '' : textTable(['topic', 'reason', 'messages'], rows)
}

function plural(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`
}

function timeText(ns: string | null): string {
  return new Date(Number(BigInt(ns ?? 0) / 1_000_000n)).toISOString()
}
