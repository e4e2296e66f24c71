import type { Spec } from 'vega'
import type { GossipStats } from '../measures/gossip-stats.ts'
import { printable } from '../report/printable.ts'
import { CONFIG } from './theme.ts'

/** A picture to be: what Vega draws, and the file name without extension. */
export interface Plot {
  readonly name: string
  readonly spec: Spec
}

const WIDTH = 640
const MAX_LABEL = 70

/** A spec with what all plots have in common; `note` says how to read it. */
export function plot(name: string, title: string, stats: GossipStats, spec: Spec, note?: string): Plot {
  const lost = stats.lower_bounds ? '; records were lost: lower bounds' : ''
  const nodes = `${stats.nodes.length} node${stats.nodes.length === 1 ? '' : 's'}`
  const seconds = (stats.clock.span_ms / 1000).toLocaleString('en-US', { maximumFractionDigits: 1 })
  return {
    name,
    spec: {
      $schema: 'https://vega.github.io/schema/vega/v6.json',
      width: WIDTH,
      padding: 16,
      autosize: 'pad',
      config: CONFIG,
      title: {
        text: title,
        subtitle: `${nodes}, ${seconds} s of traces${lost}${note === undefined ? '' : ` (${note})`}`,
        anchor: 'start',
        offset: 14
      },
      ...spec
    }
  }
}

/** Where there is nothing to draw: the axes would say that there was something to see. */
export function emptyPlot(name: string, title: string, stats: GossipStats, why: string): Plot {
  return plot(name, title, stats, {
    height: 120,
    marks: [
      {
        type: 'text',
        name: 'empty',
        encode: {
          enter: {
            text: { value: why },
            x: { value: WIDTH / 2 },
            y: { value: 60 },
            align: { value: 'center' },
            fontSize: { value: 14 },
            fill: { value: '#555555' }
          }
        }
      }
    ]
  })
}

/** A topic for a legend: with its end kept, where names of topics differ. */
export function label(topic: string): string {
  const text = printable(topic)
  return text.length <= MAX_LABEL ? text : `…${text.slice(1 - MAX_LABEL)}`
}
