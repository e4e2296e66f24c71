import { Distribution } from './distribution.ts'
import { FirstDeliverers } from './first-deliverers.ts'
import type { ScopeStats } from './gossip-stats.ts'
import type { AtNode, Message } from './in-flight.ts'
import { ratio } from './ratio.ts'

const NS_PER_MINUTE = 60e9

/** The numbers of one topic, or of all. */
export class ScopeTally {
  published = 0
  duplicates = 0
  grafts = 0
  prunes = 0
  ihaveIds = 0
  #delivered = 0
  readonly #rejected = new Map<string, number>()
  readonly #firstDeliverers = new FirstDeliverers()
  #messages = 0
  readonly #duplicatesPerMessage = new Distribution()
  readonly #timeToFirstDuplicate = new Distribution()
  readonly #delay = new Distribution()
  #fromPublish = 0
  #fromFirstSighting = 0
  #negative = 0
  #expected = 0
  #had = 0
  #iwantIds = 0
  #asked = 0
  #came = 0
  #cameFirst = 0

  delivered(node: string, from: string): void {
    this.#delivered++
    this.#firstDeliverers.add(node, from)
  }

  rejected(reason: string): void {
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1)
  }

  /** Adds a message of which nothing more is awaited. */
  finish(message: Message): void {
    let had = false
    for (const [node, at] of message.nodes) {
      if (at.asked !== undefined) this.#addAsked(at)
      if (at.hadAt === undefined) continue
      had = true
      this.#duplicatesPerMessage.add(at.duplicates)
      if (at.firstDuplicateAt !== undefined) {
        this.#timeToFirstDuplicate.add(Math.max(0, at.firstDuplicateAt - at.hadAt))
      }
      this.#addDelay(message, node, at)
    }
    if (!had) return
    this.#messages++
    for (const node of message.expected ?? []) {
      this.#expected++
      const at = message.nodes.get(node)
      if (at?.hadAt !== undefined || at?.ignored === true) this.#had++
    }
  }

  /** `span` in ns; `nodes` are all that were traced. */
  stats(span: number, nodes: ReadonlySet<string>): ScopeStats {
    const churn = ratio((this.grafts + this.prunes) * NS_PER_MINUTE, span)
    return {
      messages: this.#messages,
      published: this.published,
      delivered: this.#delivered,
      duplicates: this.duplicates,
      rejected: [...this.#rejected.values()].reduce((sum, count) => sum + count, 0),
      rejected_by_reason: Object.fromEntries([...this.#rejected].sort(([a], [b]) => (a < b ? -1 : 1))),
      duplicates_per_message: {
        ...this.#duplicatesPerMessage.stats(),
        values: this.#duplicatesPerMessage.values().map(([duplicates, messages]) => ({ duplicates, messages }))
      },
      time_to_first_duplicate: this.#timeToFirstDuplicate.delayStats(),
      propagation_delay: {
        ...this.#delay.delayStats(),
        from_publish: this.#fromPublish,
        from_first_sighting: this.#fromFirstSighting,
        negative: this.#negative
      },
      delivery: { expected: this.#expected, had: this.#had, ratio: ratio(this.#had, this.#expected) },
      first_deliverers: this.#firstDeliverers.stats(nodes),
      mesh_churn: {
        grafts: this.grafts,
        prunes: this.prunes,
        per_minute: churn,
        per_node_minute: churn === null ? null : churn / nodes.size
      },
      gossip_yield: {
        ihave_ids: this.ihaveIds,
        iwant_ids: this.#iwantIds,
        asked: this.#asked,
        came: this.#came,
        came_first: this.#cameFirst,
        yield: ratio(this.#came, this.#asked)
      }
    }
  }

  #addAsked(at: AtNode): void {
    this.#iwantIds += at.askedIds
    this.#asked++
    if (at.came) this.#came++
    if (at.cameFirst) this.#cameFirst++
  }

  #addDelay(message: Message, node: string, at: AtNode): void {
    if (at.deliveredAt === undefined || at.published) return
    const origin = message.publishedAt ?? (message.sightedAt as number)
    if (message.publishedAt === undefined) {
      if (node === message.firstSighter && at.deliveredAt === origin) return
      this.#fromFirstSighting++
    } else {
      this.#fromPublish++
    }
    if (at.deliveredAt < origin) this.#negative++
    this.#delay.add(Math.max(0, at.deliveredAt - origin))
  }
}
