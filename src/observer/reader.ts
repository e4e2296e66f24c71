/** What an observer makes of each message: whether it is good, new and to be sent on, as far as that shows without a chain. */
import type { Genesis } from '../chain/genesis.ts'
import type { Taken, TopicRules } from '../chain/gossip-rules.ts'
import { toHex } from '../codec/bytes.ts'
import { TokenBucket } from '../network/token-bucket.ts'
import type { Topic } from '../network/types.ts'
import { checkMessage } from './check-message.ts'
import type { Decoded } from './decoded.ts'
import type { Finals } from './finals.ts'
import type { ObserverCounts, Received, RejectedMessage, SeenMessage } from './observations.ts'
import { Slots } from './slots.ts'

/** Nodes take votes and proposals of the height that is decided and the one after it. */
const HEIGHTS_AHEAD = 2

export interface ReaderOptions {
  readonly genesis: Genesis
  readonly finals: Finals
  /** The validator that a peer has proven to be, as index. */
  readonly validatorAt: (peerId: string) => number | undefined
  readonly show: (message: SeenMessage | RejectedMessage) => void
}

/**
 * Of events that nobody vouches for it sends on what nodes let strangers have of a chain, by default, and some blocks' worth
 * at once: it holds none, so no room of its own bounds that.
 */
const UNVOUCHED = { part: 1 / 20, burstBlocks: 16 } as const

interface Judgement {
  readonly taken: Taken
  readonly show: boolean
  readonly message: Decoded
  readonly conflict?: boolean
  readonly late?: boolean
}

interface Weighed {
  readonly message: Decoded
  readonly bytes: number
}

export class Reader {
  readonly #options: ReaderOptions
  readonly #slots = new Slots()
  /** Bytes of unvouched events that may be sent on. */
  readonly #unvouched: TokenBucket
  readonly #counts = { shown: 0, repeated: 0, rejected: 0 }
  #closed = false

  constructor(options: ReaderOptions) {
    this.#options = options
    const { maxBlockBytes, blockIntervalMs } = options.genesis.params
    const bytes = maxBlockBytes * UNVOUCHED.part
    const rate = { burst: UNVOUCHED.burstBlocks * bytes, perSecond: (1000 * bytes) / blockIntervalMs }
    this.#unvouched = new TokenBucket(rate, performance.now())
  }

  get counts(): ObserverCounts {
    return this.#counts
  }

  /** Nothing is shown from now on, and nothing sent on. */
  close(): void {
    this.#closed = true
  }

  rules(topic: Topic): TopicRules<Weighed> {
    const { genesis, show } = this.#options
    return {
      check: async (payload) => {
        const checked = await checkMessage(genesis, topic, payload, (id) => this.#slots.hasEvent(toHex(id)))
        return checked.ok ? { ok: true, message: { message: checked.message, bytes: payload.byteLength } } : checked
      },
      take: ({ message, bytes }, from) => this.#take(message, this.#received(topic, from, bytes)),
      refused: (code, payload, from) => {
        if (this.#closed) return
        this.#counts.rejected++
        show({ type: 'rejected', ...this.#received(topic, from, payload.byteLength), code })
      }
    }
  }

  #received(topic: Topic, from: string, bytes: number): Received {
    return { at: Date.now(), topic, from, fromValidator: this.#options.validatorAt(from), bytes }
  }

  #take(decoded: Decoded, received: Received): Taken {
    if (this.#closed) return 'ignore'
    const { taken, show, message, conflict = false, late = false } = this.#judge(decoded, received.bytes)
    const blockTime = this.#slots.timeOf(message)
    if (show) {
      this.#counts.shown++
      this.#options.show({ type: 'message', ...received, message, blockTime, conflict, late })
    } else {
      this.#counts.repeated++
    }
    return taken
  }

  /** What nodes of a chain ignore as stale, early or known is not sent on; what is not known is shown all the same. */
  #judge(message: Decoded, bytes: number): Judgement {
    const { finals } = this.#options
    switch (message.type) {
      case 'events': {
        const ofNow = message.fresh.filter(({ fields }) => this.#isOfNow(fields.timestamp))
        const fresh = this.#slots.takeEvents({ ...message, fresh: ofNow })
        const some = fresh.length > 0
        const goesOn = some && (message.voucher !== undefined || this.#mayPassOn(bytes))
        return { taken: goesOn ? 'accept' : 'ignore', show: some, message: { ...message, fresh } }
      }
      case 'finalized':
      case 'header': {
        const sighting = finals.finalized(message, performance.now())
        const conflict = sighting === 'conflict'
        const late = sighting === 'late'
        const news = sighting === 'new' || conflict
        // Without the chain the root that comes with a header is anybody's claim, and what is not checked is not sent on.
        const taken = news && message.type === 'finalized' ? 'accept' : 'ignore'
        return { taken, show: news || late, message, conflict, late }
      }
      default: {
        const isVote = message.type !== 'new-block'
        const placed = isVote ? this.#slots.vote(message) : this.#slots.proposal(message)
        if (placed === 'known' || placed === 'surplus') return { taken: 'ignore', show: false, message }
        const late = finals.seen(isVote ? 'vote' : 'block', message.height) === 'late'
        const above = message.height - finals.height
        const taken = above >= 1 && above <= HEIGHTS_AHEAD ? 'accept' : 'ignore'
        return { taken, show: true, message, conflict: placed === 'conflict', late }
      }
    }
  }

  /** A flood of valid events ends here too, and costs its sender the checks beyond that (gossip-allowance.ts). */
  #mayPassOn(bytes: number): boolean {
    const now = performance.now()
    if (this.#unvouched.waitMs(0, now) > 0) return false
    this.#unvouched.spend(bytes, now)
    return true
  }

  #isOfNow(timestamp: number): boolean {
    return Math.abs(Date.now() - timestamp) <= this.#options.genesis.params.eventWindowMs
  }
}
