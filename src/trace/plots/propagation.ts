import type { GossipStats } from '../measures/gossip-stats.ts'
import { amount } from '../report/numbers.ts'
import { emptyPlot, type Plot, plot } from './plot.ts'
import { legendLabels, type Series, seriesScales, topSeries } from './series.ts'

const NAME = 'propagation-delay-cdf'
const TITLE = 'Propagation delay of messages'

/** What a log axis can begin with: clocks do not tell less apart. */
const LEAST_MS = 0.01

/** CDF of the delay to a delivery, a line a topic. */
export function propagationPlot(stats: GossipStats): Plot {
  const series = topSeries(stats.topics, (topic) => topic.propagation_delay.count > 0)
  if (series.length === 0) return emptyPlot(NAME, TITLE, stats, 'no message was delivered after its origin was seen')
  const values = series.flatMap(({ topics }, i) =>
    topics.flatMap(({ propagation_delay: { cdf } }) => {
      const points = cdf.map(({ delay_ms, share }) => ({ series: i, delay: Math.max(LEAST_MS, delay_ms), share }))
      // A step from the axis up to the first point.
      return [{ series: i, delay: points[0]?.delay, share: 0 }, ...points]
    })
  )
  return plot(NAME, TITLE, stats, {
    height: 360,
    data: [{ name: 'cdf', values }],
    scales: [
      { name: 'x', type: 'log', range: 'width', domain: logDomain(values.map(({ delay }) => delay as number)) },
      { name: 'y', type: 'linear', range: 'height', domain: [0, 1] },
      ...seriesScales(series)
    ],
    axes: [
      {
        orient: 'bottom',
        scale: 'x',
        title: 'delay from publish or first sighting to delivery (ms, log scale)',
        format: '~g',
        labelOverlap: 'greedy'
      },
      { orient: 'left', scale: 'y', title: 'share of deliveries', format: '.0%', tickCount: 5 }
    ],
    legends: [
      {
        stroke: 'colour',
        strokeDash: 'dash',
        symbolType: 'stroke',
        symbolSize: 400,
        direction: 'vertical',
        encode: legendLabels(series, withPercentiles)
      }
    ],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'points', data: 'cdf', groupby: 'series' } },
        marks: [
          {
            type: 'line',
            name: 'cdf-line',
            from: { data: 'points' },
            encode: {
              enter: {
                x: { scale: 'x', field: 'delay' },
                y: { scale: 'y', field: 'share' },
                interpolate: { value: 'step-after' },
                stroke: { scale: 'colour', field: 'series' },
                strokeDash: { scale: 'dash', field: 'series' },
                strokeWidth: { value: 2.2 }
              }
            }
          }
        ]
      }
    ]
  })
}

function withPercentiles({ label, topics: [topic] }: Series): string {
  const { p50, p99 } = topic?.propagation_delay ?? { p50: null, p99: null }
  return `${label} (p50 ${amount(p50)} ms, p99 ${amount(p99)} ms)`
}

/** From the 1, 2 or 5 below the least to that above the greatest: whole decades would be mostly empty. */
function logDomain(values: readonly number[]): [number, number] {
  const [least, most] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, 0])
  const nice = [1, 2, 5, 10]
  const round = (value: number, pick: (candidates: number[]) => number | undefined) => {
    const decade = 10 ** Math.floor(Math.log10(value))
    return (pick(nice.map((n) => n * decade)) as number) || value
  }
  return [
    round(least, (candidates) => candidates.findLast((c) => c <= least)),
    round(most, (candidates) => candidates.find((c) => c > most))
  ]
}
