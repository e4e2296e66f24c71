import type { App } from '../app.ts'
import { SMALL } from '../bounds.ts'
import { MAX_LISTED, MAX_PAGE_BYTES } from '../limits.ts'
import { GossipStatsJson, TopicsJson } from '../schemas.ts'
import type { ApiSource } from '../source.ts'

/** What gossip does here, for people who look into it; traces have each message (docs/research.md). */
export function gossipRoutes(app: App, source: ApiSource): void {
  const config = { bound: { answerBytes: MAX_PAGE_BYTES } }
  app.get('/v1/gossip/topics', { schema: { response: { 200: TopicsJson } }, config }, () => ({
    topics: source.topics().map(({ topic, id, mesh, subscribers }) => ({
      topic,
      id,
      mesh: [...mesh],
      subscribers: [...subscribers].slice(0, MAX_LISTED),
      subscriber_count: subscribers.length
    }))
  }))

  app.get('/v1/gossip/stats', { schema: { response: { 200: GossipStatsJson } }, config: { bound: SMALL } }, () => ({
    topics: Object.fromEntries(
      source.topics().map(({ topic, mesh, counts }) => [topic, { mesh: mesh.length, ...counts }])
    )
  }))
}
