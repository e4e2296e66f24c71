/**
 * What the measures of gossip traces come to: the JSON of the report, whose names are stable.
 *
 * "All" in these definitions is over the records that were given. Times are of the nodes' own clocks. A share or ratio
 * whose divisor is 0 is null, and so is every number of a distribution without samples.
 */
export interface GossipStats {
  readonly records: number
  readonly records_by_type: Readonly<Record<string, number>>
  readonly clock: ClockSpan
  /** True once any record was lost by a writer: every count here is then a lower bound. */
  readonly lower_bounds: boolean
  /** Sum of the counts of all LOST records. */
  readonly lost_records: number
  /** How long after its first mention in any record a message was followed, in ms. */
  readonly horizon_ms: number
  /** In the order of their first record. */
  readonly nodes: readonly NodeStats[]
  readonly rpcs: { readonly sent: number; readonly received: number; readonly dropped: number }
  readonly control: { readonly sent: ControlStats; readonly received: ControlStats }
  /** Over all topics. */
  readonly all: ScopeStats
  /** That a record names, but for LEAVE and, of RPCs, all but an IHAVE received: by name, in the order of UTF-16 code units. */
  readonly topics: readonly TopicStats[]
}

/** From the earliest to the latest time of any record; Unix nanoseconds as decimal text, null without records. */
export interface ClockSpan {
  readonly first_ns: string | null
  readonly last_ns: string | null
  /** 0 without records. */
  readonly span_ms: number
}

export interface NodeStats {
  readonly node: string
  readonly records: number
  readonly lost_records: number
  readonly clock: ClockSpan
}

/**
 * Of integers v ≥ 0 of which the 11 highest bits are kept (so below 2048 exactly, above to less than 0.1 %, rounded
 * down). A percentile p is the nearest rank: the ⌈p·n⌉th smallest of n samples so kept. `mean` and `max` are of the
 * samples as they were.
 */
export interface DistributionStats {
  readonly count: number
  readonly mean: number | null
  readonly p50: number | null
  readonly p90: number | null
  readonly p99: number | null
  readonly max: number | null
}

/** A distribution of nanoseconds, in ms. */
export interface DelayStats extends DistributionStats {
  /** With m = min(count, 200): for k = 1 … m the (k/m)-percentile. */
  readonly cdf: readonly { readonly delay_ms: number; readonly share: number }[]
}

/** A topic, or all of them together. */
export interface ScopeStats {
  /**
   * Message ids with a PUBLISH or DELIVER record. An id whose records are further apart than the horizon counts anew.
   */
  readonly messages: number
  /** PUBLISH_MESSAGE records. */
  readonly published: number
  /** DELIVER_MESSAGE records of messages that came from another node. */
  readonly delivered: number
  /** DUPLICATE_MESSAGE records. */
  readonly duplicates: number
  /** REJECT_MESSAGE records. */
  readonly rejected: number
  readonly rejected_by_reason: Readonly<Record<string, number>>
  /**
   * For each message, and each node that published it or that it was delivered to: the DUPLICATE records there. `values`
   * are all samples, ascending.
   */
  readonly duplicates_per_message: DistributionStats & {
    readonly values: readonly { readonly duplicates: number; readonly messages: number }[]
  }
  /**
   * For those of these with a DUPLICATE: from the first record of having it to the first DUPLICATE; 0 where that came
   * before (gossipsub counts duplicates while it still validates).
   */
  readonly time_to_first_duplicate: DelayStats
  /**
   * For each message, from its origin to the first DELIVER at each node that did not publish it. The origin is its
   * earliest PUBLISH; without one, its first sighting: the earliest PUBLISH, DELIVER, DUPLICATE or REJECT at any node.
   * The DELIVER that is the first sighting has no delay. 0 where the clocks have a DELIVER before its origin; `negative`
   * counts these.
   */
  readonly propagation_delay: DelayStats & {
    readonly from_publish: number
    readonly from_first_sighting: number
    readonly negative: number
  }
  /**
   * `expected` sums, over messages, the nodes that were subscribed to the topic at its first record of the four; `had`
   * those of them that published it, that it was delivered to, or that ignored it (REJECT_MESSAGE `validation ignored`): a
   * vote for a height that is decided by then has arrived all the same; `ratio` is had ÷ expected. A node subscribes with JOIN;
   * one that has neither JOIN nor LEAVE before, with its first DELIVER, DUPLICATE, GRAFT or PRUNE.
   */
  readonly delivery: { readonly expected: number; readonly had: number; readonly ratio: number | null }
  /** By node in the order of their first record, then by deliveries, most first. */
  readonly first_deliverers: FirstDelivererStats
  /** GRAFT and PRUNE records; per minute of the clock span, and that divided by the nodes traced. */
  readonly mesh_churn: {
    readonly grafts: number
    readonly prunes: number
    readonly per_minute: number | null
    readonly per_node_minute: number | null
  }
  readonly gossip_yield: GossipYield
}

export interface TopicStats extends ScopeStats {
  readonly topic: string
  readonly mesh_degree: MeshDegreeStats
}

/** Of each receiving node, from which peers it had the messages that were delivered to it first. */
export interface FirstDelivererStats {
  /** Over the nodes with deliveries: the mean and greatest share of a node's first peer in its deliveries. */
  readonly top_share_mean: number | null
  readonly top_share_max: number | null
  readonly nodes: readonly {
    readonly node: string
    readonly delivered: number
    /** Of the peer that brought it most. */
    readonly top_share: number
    readonly peers: readonly { readonly peer: string; readonly delivered: number; readonly share: number }[]
  }[]
}

/**
 * What lazy gossip brought. Per topic, an IWANT counts by the topic that an IHAVE or a record of its message gives; an
 * id of which the traces know no topic counts in all only.
 */
export interface GossipYield {
  /** Message ids in IHAVEs received, and in IWANTs sent. */
  readonly ihave_ids: number
  readonly iwant_ids: number
  /** Message and node, for each message that the node asked for. */
  readonly asked: number
  /** Of these, where it then came, as delivery, duplicate or rejected, from a peer that was asked. */
  readonly came: number
  /** Of these, where it came first by that: DELIVER. */
  readonly came_first: number
  /** came ÷ asked */
  readonly yield: number | null
}

/**
 * Sizes of meshes as GRAFT and PRUNE tell; a peer also leaves all of a node's meshes when the stream to it closes, and
 * all leave the mesh of a topic that the node leaves. Peers grafted before a trace begins are not known.
 */
export interface MeshDegreeStats {
  /** Of the samples with nodes: mean of their means. */
  readonly mean: number | null
  /** The smallest of 1, 2, 4 … s by which the clock span has no more samples than was set (512). */
  readonly step_ms: number
  /** At `at_ms` after the first record, every `step_ms`, after the records up to then; of the subscribed nodes. */
  readonly samples: readonly {
    readonly at_ms: number
    readonly nodes: number
    readonly mean: number
    readonly min: number
    readonly max: number
  }[]
}

export const CONTROL_KINDS = ['subscriptions', 'ihave', 'iwant', 'graft', 'prune', 'idontwant', 'envelope'] as const
export type ControlKind = (typeof CONTROL_KINDS)[number]

/** Of all RPCs sent, or received. */
export interface ControlStats {
  /** Messages that these RPCs carried. */
  readonly messages: number
  /** What is not messages, in bytes on the wire without the RPC's length prefix. */
  readonly bytes: number
  /** bytes ÷ messages */
  readonly bytes_per_message: number | null
  /**
   * `count`: entries; `ids`: message ids in them; `bytes`: with tag and length. `envelope` is the tag and length of the
   * control field, once an RPC with control.
   */
  readonly kinds: Readonly<
    Record<ControlKind, { readonly count: number; readonly ids: number; readonly bytes: number }>
  >
}
