import type { TopicStats } from '../measures/gossip-stats.ts'
import { label } from './plot.ts'
import { COLOURS, DASHES, REST_COLOUR } from './theme.ts'

/** A topic in a plot, or the rest of them. */
export interface Series {
  readonly label: string
  readonly colour: string
  readonly dash: readonly number[]
  readonly topics: readonly TopicStats[]
}

/**
 * The topics with the most messages, as many as there are colours, and of these the ones that `has` something to draw: so
 * a topic has one colour in all plots.
 */
export function topSeries(topics: readonly TopicStats[], has: (topic: TopicStats) => boolean): Series[] {
  return mostTopics(topics)
    .map((topic, i) => ({
      label: label(topic.topic),
      colour: COLOURS[i] as string,
      dash: DASHES[i] as readonly number[],
      topics: [topic]
    }))
    .filter(({ topics: [topic] }) => has(topic as TopicStats))
}

/** The same, and all other topics together. */
export function allSeries(topics: readonly TopicStats[], has: (topic: TopicStats) => boolean): Series[] {
  const most = new Set(mostTopics(topics))
  const rest = topics.filter((topic) => !most.has(topic) && has(topic))
  const shown = topSeries(topics, has)
  if (rest.length === 0) return shown
  return [
    ...shown,
    {
      label: rest.length === 1 ? '1 other topic' : `${rest.length} other topics`,
      colour: REST_COLOUR,
      dash: [],
      topics: rest
    }
  ]
}

function mostTopics(topics: readonly TopicStats[]): TopicStats[] {
  return topics
    .toSorted((a, b) => b.messages - a.messages)
    .slice(0, COLOURS.length)
    .sort((a, b) => (a.topic < b.topic ? -1 : 1))
}

/** Scales by which marks find a series' colour and dash, by its position: labels may be alike. */
export function seriesScales(series: readonly Series[]) {
  const domain = series.map((_, i) => i)
  return [
    { name: 'colour', type: 'ordinal' as const, domain, range: series.map(({ colour }) => colour) },
    { name: 'dash', type: 'ordinal' as const, domain, range: series.map(({ dash }) => [...dash]) }
  ]
}

/** The encoding of a legend's entries, whose values are positions. */
export function legendLabels(series: readonly Series[], textOf = (one: Series) => one.label) {
  const labels = JSON.stringify(series.map(textOf))
  return { labels: { update: { text: { signal: `${labels}[datum.value]` } } } }
}
