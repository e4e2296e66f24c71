import type { GossipStats } from '../measures/gossip-stats.ts'
import { emptyPlot, type Plot, plot } from './plot.ts'
import { allSeries, legendLabels, seriesScales } from './series.ts'

const NAME = 'duplicates-per-message'
const TITLE = 'Duplicates per message'

/** Bars at most: numbers of duplicates are joined to bars of a width of 1, 2, 5, 10 … */
const MOST_BARS = 40

/** Histogram of duplicates per message and node that had it, stacked by topic. */
export function duplicatesPlot(stats: GossipStats): Plot {
  const all = stats.all.duplicates_per_message
  if (all.count === 0) return emptyPlot(NAME, TITLE, stats, 'no message was published or delivered')
  const series = allSeries(stats.topics, (topic) => topic.duplicates_per_message.count > 0)
  const most = all.max as number
  const width = barWidth(most + 1)
  const values = series.flatMap(({ topics }, i) => {
    const bars = new Map<number, number>()
    for (const { duplicates, messages } of topics.flatMap((topic) => topic.duplicates_per_message.values)) {
      const from = Math.floor(duplicates / width) * width
      bars.set(from, (bars.get(from) ?? 0) + messages)
    }
    return [...bars].map(([from, messages]) => ({ series: i, from, share: messages / all.count }))
  })
  const bars = Array.from({ length: Math.floor(most / width) + 1 }, (_, i) => i * width)
  const title = `duplicates of a message at a node that published or received it${width > 1 ? `, from … to ${width - 1} more` : ''}`
  return plot(NAME, TITLE, stats, {
    height: 320,
    data: [
      {
        name: 'bars',
        values,
        transform: [{ type: 'stack', groupby: ['from'], field: 'share', sort: { field: 'series' } }]
      }
    ],
    scales: [
      { name: 'x', type: 'band', range: 'width', domain: bars, padding: bars.length > 1 ? 0.15 : 0.8 },
      { name: 'y', type: 'linear', range: 'height', domain: { data: 'bars', field: 'y1' }, nice: true, zero: true },
      ...seriesScales(series)
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title, grid: false, labelOverlap: 'parity' },
      { orient: 'left', scale: 'y', title: 'share of messages × nodes', format: '.0~%', tickCount: 6 }
    ],
    legends: [
      { fill: 'colour', symbolType: 'square', symbolSize: 120, direction: 'vertical', encode: legendLabels(series) }
    ],
    marks: [
      {
        type: 'rect',
        name: 'bar',
        from: { data: 'bars' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'from' },
            width: { scale: 'x', band: 1 },
            y: { scale: 'y', field: 'y0' },
            y2: { scale: 'y', field: 'y1' },
            fill: { scale: 'colour', field: 'series' }
          }
        }
      }
    ]
  })
}

function barWidth(values: number): number {
  for (let decade = 1; ; decade *= 10) {
    for (const width of [decade, 2 * decade, 5 * decade]) if (values / width <= MOST_BARS) return width
  }
}
