import type { GossipStats, TopicStats } from '../measures/gossip-stats.ts'

/**
 * The stats of one topic alone: it takes the place of all topics. Records, RPCs and control stay those of all: an RPC is of
 * no one topic.
 * @param topic its name, or the part of a chain's topic that tells it from the others (`vote` of `/moloch/…/vote/1`)
 * @returns undefined if there is no such topic
 */
export function statsOfTopic(stats: GossipStats, topic: string): GossipStats | undefined {
  const found = topicNamed(stats.topics, topic)
  if (found === undefined) return undefined
  const { topic: _, mesh_degree: __, ...all } = found
  return { ...stats, all, topics: [found] }
}

function topicNamed(topics: readonly TopicStats[], name: string): TopicStats | undefined {
  const exact = topics.find(({ topic }) => topic === name)
  if (exact !== undefined) return exact
  // Of two chains' traces the short name could mean either.
  const alike = topics.filter(({ topic }) => /^\/moloch\/[^/]+\/([^/]+)\/1$/.exec(topic)?.[1] === name)
  return alike.length === 1 ? alike[0] : undefined
}
