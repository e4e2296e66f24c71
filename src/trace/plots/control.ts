import { CONTROL_KINDS, type GossipStats } from '../measures/gossip-stats.ts'
import { emptyPlot, type Plot, plot } from './plot.ts'
import { COLOURS } from './theme.ts'

const NAME = 'control-overhead'
const TITLE = 'Control overhead'
const DIRECTIONS = ['sent', 'received'] as const

/** Bytes of control by kind, a bar for what was sent and one for what was received. */
export function controlPlot(stats: GossipStats): Plot {
  const bytes = DIRECTIONS.map((direction) => stats.control[direction].bytes)
  if (bytes.every((n) => n === 0)) return emptyPlot(NAME, TITLE, stats, 'no RPC with control is in the traces')
  const values = CONTROL_KINDS.flatMap((kind) =>
    DIRECTIONS.map((direction) => ({
      kind: kind === 'subscriptions' || kind === 'envelope' ? kind : kind.toUpperCase(),
      direction,
      bytes: stats.control[direction].kinds[kind].bytes
    }))
  )
  return plot(NAME, `${TITLE}: ${perMessage(stats)}`, stats, {
    height: { signal: `${CONTROL_KINDS.length * 44}` },
    data: [{ name: 'kinds', values }],
    scales: [
      { name: 'x', type: 'linear', range: 'width', domain: { data: 'kinds', field: 'bytes' }, nice: true, zero: true },
      { name: 'y', type: 'band', range: 'height', domain: { data: 'kinds', field: 'kind' }, padding: 0.2 },
      { name: 'colour', type: 'ordinal', domain: [...DIRECTIONS], range: COLOURS.slice(0, 2) }
    ],
    axes: [
      {
        orient: 'bottom',
        scale: 'x',
        title: 'size of all RPCs without their messages (bytes)',
        encode: { labels: { update: { text: { signal: "format(datum.value, '~s')" } } } },
        tickCount: 6
      },
      { orient: 'left', scale: 'y', title: 'part of an RPC', grid: false, domain: false, ticks: false }
    ],
    legends: [{ fill: 'colour', symbolType: 'square', symbolSize: 120, direction: 'horizontal' }],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'one', data: 'kinds', groupby: 'kind' } },
        encode: { enter: { y: { scale: 'y', field: 'kind' } } },
        signals: [{ name: 'height', update: "bandwidth('y')" }],
        scales: [{ name: 'side', type: 'band', range: 'height', domain: [...DIRECTIONS] }],
        marks: [
          {
            type: 'rect',
            name: 'control-bar',
            from: { data: 'one' },
            encode: {
              enter: {
                x: { scale: 'x', value: 0 },
                x2: { scale: 'x', field: 'bytes' },
                y: { scale: 'side', field: 'direction' },
                height: { scale: 'side', band: 1 },
                fill: { scale: 'colour', field: 'direction' }
              }
            }
          }
        ]
      }
    ]
  })
}

function perMessage({ control }: GossipStats): string {
  const texts = DIRECTIONS.flatMap((direction) => {
    const { bytes_per_message: bytes } = control[direction]
    return bytes === null
      ? []
      : [`${bytes.toLocaleString('en-US', { maximumFractionDigits: 0 })} B per message ${direction}`]
  })
  return texts.length === 0 ? 'no message in the RPCs' : texts.join(', ')
}
