import type { GossipStats } from '../measures/gossip-stats.ts'
import { shortPeer } from '../report/numbers.ts'
import { emptyPlot, type Plot, plot } from './plot.ts'
import { COLOURS, REST_COLOUR } from './theme.ts'

const NAME = 'first-deliverers'
const TITLE = 'First deliverers: whose messages came first'
const MOST_NODES = 30
const RANKS = ['top peer', 'second', 'third', 'all others'] as const

/** Of each receiving node, the shares of the peers that brought it its messages first; the most dependent nodes first. */
export function firstDeliverersPlot(stats: GossipStats): Plot {
  const all = stats.all.first_deliverers.nodes
  if (all.length === 0) return emptyPlot(NAME, TITLE, stats, 'nothing was delivered')
  const nodes = all.toSorted((a, b) => b.top_share - a.top_share).slice(0, MOST_NODES)
  const values = nodes.flatMap(({ peers }, node) => {
    const top = peers.slice(0, RANKS.length - 1).map(({ share }) => share)
    const rest = 1 - top.reduce((sum, share) => sum + share, 0)
    const shares = peers.length >= RANKS.length ? [...top, rest] : top
    return shares.map((share, rank) => ({ node, rank, share }))
  })
  const names = JSON.stringify(nodes.map(({ node }) => shortPeer(node)))
  const more = all.length > nodes.length ? ` (${nodes.length} of ${all.length})` : ''
  return plot(NAME, TITLE, stats, {
    height: { signal: `${Math.max(6, nodes.length) * 22}` },
    data: [
      {
        name: 'shares',
        values,
        transform: [{ type: 'stack', groupby: ['node'], field: 'share', sort: { field: 'rank' } }]
      }
    ],
    scales: [
      { name: 'x', type: 'linear', range: 'width', domain: [0, 1] },
      { name: 'y', type: 'band', range: 'height', domain: nodes.map((_, i) => i), padding: 0.2 },
      {
        name: 'colour',
        type: 'ordinal',
        domain: RANKS.map((_, i) => i),
        range: [COLOURS[0], COLOURS[4], COLOURS[1], REST_COLOUR]
      }
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: "share of the node's deliveries", format: '.0%', tickCount: 5 },
      {
        orient: 'left',
        scale: 'y',
        title: `receiving node${more}`,
        grid: false,
        domain: false,
        ticks: false,
        encode: { labels: { update: { text: { signal: `${names}[datum.value]` } } } }
      }
    ],
    legends: [
      {
        fill: 'colour',
        symbolType: 'square',
        symbolSize: 120,
        direction: 'horizontal',
        encode: { labels: { update: { text: { signal: `${JSON.stringify(RANKS)}[datum.value]` } } } }
      }
    ],
    marks: [
      {
        type: 'rect',
        name: 'share-bar',
        from: { data: 'shares' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'y0' },
            x2: { scale: 'x', field: 'y1' },
            y: { scale: 'y', field: 'node' },
            height: { scale: 'y', band: 1 },
            fill: { scale: 'colour', field: 'rank' },
            stroke: { value: '#FFFFFF' },
            strokeWidth: { value: 0.5 }
          }
        }
      }
    ]
  })
}
