import { type TopicRules, type Verdict, weigh } from '../../src/chain/gossip-rules.ts'

/** What a topic's rules say of a message. */
export async function judge<Message>(rules: TopicRules<Message>, payload: Uint8Array, from: string): Promise<Verdict> {
  return (await weigh(rules, payload, from)).verdict
}
