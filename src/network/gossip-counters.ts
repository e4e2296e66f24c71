import type { GossipsubOpts } from '@libp2p/gossipsub'

type MetricsRegister = NonNullable<GossipsubOpts['metricsRegister']>
type Gauge = ReturnType<MetricsRegister['gauge']>

/** What became of a topic's messages since the node started: gossipsub's own counts, and what it was not given. */
export interface TopicCounts {
  /** Messages of our own. */
  readonly published: number
  /** Copies that came, good or not, new or not. */
  readonly received: number
  readonly duplicates: number
  /** First copies by the verdict that they got. */
  readonly accepted: number
  readonly ignored: number
  readonly rejected: number
  /** Not looked at: the peer had sent too much that was of no use. Not among those received. */
  readonly dropped: number
}

/** gossipsub's names for them. */
const NAMES: Readonly<Record<string, keyof TopicCounts>> = {
  gossipsub_msg_publish_count_total: 'published',
  gossipsub_msg_received_prevalidation_total: 'received',
  gossipsub_pre_validation_duplicate_total: 'duplicates',
  gossipsub_accepted_messages_total: 'accepted',
  gossipsub_ignored_messages_total: 'ignored',
  gossipsub_rejected_messages_total: 'rejected'
}

const NONE: TopicCounts = {
  published: 0,
  received: 0,
  duplicates: 0,
  accepted: 0,
  ignored: 0,
  rejected: 0,
  dropped: 0
}

/** Takes gossipsub's own counters of messages, and lets go of all else that it measures; by our name of the topic. */
export class GossipCounters {
  readonly #topics = new Map<string, { -readonly [Name in keyof TopicCounts]: number }>()

  of(topic: string): TopicCounts {
    return { ...NONE, ...this.#topics.get(topic) }
  }

  /** For gossipsub's options. */
  readonly register: MetricsRegister = {
    gauge: ({ name }) => this.#gauge(NAMES[name]) as never,
    histogram: () => ({ startTimer: () => () => {}, observe() {}, reset() {} }),
    avgMinMax: () => ({ set() {} })
  }

  dropped(topic: string): void {
    this.#count(topic, 'dropped', 1)
  }

  #gauge(counted: keyof TopicCounts | undefined): Gauge {
    const idle = { set() {}, addCollect() {} }
    if (counted === undefined) return { ...idle, inc() {} }
    const inc = ({ topic }: { readonly topic: string }, by = 1): void => this.#count(topic, counted, by)
    return { ...idle, inc: inc as never }
  }

  #count(topic: string, counted: keyof TopicCounts, by: number): void {
    const counts = this.#topics.get(topic) ?? { ...NONE }
    counts[counted] += by
    this.#topics.set(topic, counts)
  }
}
