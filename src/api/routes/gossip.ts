import type { App } from '../app.ts'
import { GossipStatsJson, TopicsJson } from '../schemas.ts'
import type { ApiSource } from '../source.ts'

/** What gossip does here, for people who look into it; traces have each message (docs/research.md). */
export function gossipRoutes(app: App, source: ApiSource): void {
  app.get('/v1/gossip/topics', { schema: { response: { 200: TopicsJson } } }, () => ({
    topics: source.topics().map(({ topic, id, mesh, subscribers }) => ({
      topic,
      id,
      mesh: [...mesh],
      subscribers: [...subscribers]
    }))
  }))

  app.get('/v1/gossip/stats', { schema: { response: { 200: GossipStatsJson } } }, () => ({
    topics: Object.fromEntries(
      source.topics().map(({ topic, mesh, counts }) => [topic, { mesh: mesh.length, ...counts }])
    )
  }))
}
