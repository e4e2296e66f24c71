import type { Topic } from './types.ts'

export const TOPICS: readonly Topic[] = ['events', 'block', 'vote', 'finalized', 'header']

export function topicId(scope: string, topic: Topic): string {
  return `/moloch/${scope}/${topic}/1`
}

export function protocolId(
  scope: string,
  name: 'status' | 'blocks' | 'votes' | 'headers' | 'proof' | 'snapshot'
): string {
  return `/moloch/${scope}/${name}/1`
}
