import type { GossipsubOpts } from '@libp2p/gossipsub'

type MetricsRegister = NonNullable<GossipsubOpts['metricsRegister']>
type Gauge = ReturnType<MetricsRegister['gauge']>

/** What gossipsub itself counts of a topic, since the node started. */
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

const NONE: TopicCounts = { published: 0, received: 0, duplicates: 0, accepted: 0, ignored: 0, rejected: 0 }

/** Takes gossipsub's own counters of messages, and lets go of all else that it measures. */
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

  #gauge(counted: keyof TopicCounts | undefined): Gauge {
    const idle = { set() {}, addCollect() {} }
    if (counted === undefined) return { ...idle, inc() {} }
    const inc = ({ topic }: { readonly topic: string }, by = 1): void => {
      const counts = this.#topics.get(topic) ?? { ...NONE }
      counts[counted] += by
      this.#topics.set(topic, counts)
    }
    return { ...idle, inc: inc as never }
  }
}
