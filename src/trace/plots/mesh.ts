import type { GossipStats } from '../measures/gossip-stats.ts'
import { emptyPlot, type Plot, plot } from './plot.ts'
import { seriesScales, topSeries } from './series.ts'

const NAME = 'mesh-degree'
const TITLE = 'Mesh degree over time'
const ROW = 130

/**
 * A row a topic, since bands over each other cannot be told apart: the mean mesh degree of the subscribed nodes as a line,
 * in a band from the least to the greatest.
 */
export function meshPlot(stats: GossipStats): Plot {
  const series = topSeries(stats.topics, (topic) => topic.mesh_degree.samples.length > 0)
  if (series.length === 0) return emptyPlot(NAME, TITLE, stats, 'no node was subscribed to a topic')
  const end = Math.max(1, stats.clock.span_ms / 1000)
  const values = series.flatMap(({ topics }, i) =>
    topics.flatMap(({ mesh_degree: { samples } }) => {
      const points = samples.map(({ at_ms, mean, min, max }) => ({ series: i, at: at_ms / 1000, mean, min, max }))
      // What the last sample has, up to the end of the traces.
      return [...points, ...points.slice(-1).map((last) => ({ ...last, at: end }))]
    })
  )
  const most = values.reduce((a, { max }) => Math.max(a, max), 1)
  const x = { scale: 'x', field: 'at' }
  return plot(
    NAME,
    TITLE,
    stats,
    {
      height: { signal: `${series.length * ROW}` },
      data: [{ name: 'samples', values }],
      scales: [
        { name: 'x', type: 'linear', range: 'width', domain: [0, end] },
        {
          name: 'row',
          type: 'band',
          range: 'height',
          domain: series.map((_, i) => i),
          paddingInner: 0.3,
          paddingOuter: 0.15
        },
        { name: 'name', type: 'ordinal', domain: series.map((_, i) => i), range: series.map(({ label }) => label) },
        ...seriesScales(series)
      ],
      axes: [
        {
          orient: 'bottom',
          scale: 'x',
          title: 'time since the first record (s)',
          tickCount: 8,
          grid: false,
          format: ',~f'
        }
      ],
      marks: [
        {
          type: 'group',
          name: 'mesh-row',
          from: { facet: { name: 'topic', data: 'samples', groupby: 'series' } },
          signals: [{ name: 'height', update: "bandwidth('row')" }],
          encode: {
            enter: {
              y: { scale: 'row', field: 'series' },
              width: { signal: 'width' },
              height: { signal: "bandwidth('row')" }
            }
          },
          title: {
            text: { signal: "scale('name', parent.series)" },
            anchor: 'start',
            frame: 'group',
            fontSize: 12,
            offset: 5
          },
          scales: [{ name: 'y', type: 'linear', range: 'height', domain: [0, most], nice: 4 }],
          axes: [
            { orient: 'bottom', scale: 'x', tickCount: 8, labels: false, ticks: false },
            {
              orient: 'left',
              scale: 'y',
              title: 'peers in mesh',
              titleFontSize: 11,
              format: ',d',
              tickCount: 4,
              tickMinStep: 1
            }
          ],
          marks: [
            {
              type: 'area',
              name: 'mesh-band',
              from: { data: 'topic' },
              encode: {
                enter: {
                  x,
                  y: { scale: 'y', field: 'min' },
                  y2: { scale: 'y', field: 'max' },
                  interpolate: { value: 'step-after' },
                  fill: { scale: 'colour', field: 'series' },
                  fillOpacity: { value: 0.2 }
                }
              }
            },
            {
              type: 'line',
              name: 'mesh-line',
              from: { data: 'topic' },
              encode: {
                enter: {
                  x,
                  y: { scale: 'y', field: 'mean' },
                  interpolate: { value: 'step-after' },
                  stroke: { scale: 'colour', field: 'series' },
                  strokeWidth: { value: 2 }
                }
              }
            }
          ]
        }
      ]
    },
    'line: mean of the nodes, band: least to greatest'
  )
}
