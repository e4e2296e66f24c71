import type { PeerId } from '@libp2p/interface'
import type { Weighed } from '../chain/gossip-rules.ts'
import { costOf, type GossipAllowance, type Reservation } from './gossip-allowance.ts'
import { messageId } from './message-id.ts'
import { Turns } from './turns.ts'
import type { Topic } from './types.ts'

/** Work on the loop between two turns of it, in checks of a signature: some 5 ms. */
const TURN_WORK = 50
/** Of one peer, what waits until some of its other messages are judged. */
const MAX_WAITING_BYTES = 512 << 10
/** A message keeps the whole RPC that it came in: one that is this much smaller is copied. */
const MAX_PINNED_BYTES = 4096
/** Of a peer that is throttled it is said once, until it has not been for so long. */
const THROTTLED_SAID_MS = 60_000

export interface RawMessage {
  topic: string
  data?: Uint8Array
}

type Outcome =
  | { readonly code: 'valid'; readonly messageId: { readonly msgIdStr: string } }
  | { readonly code: 'duplicate' }
  | { readonly code: 'invalid' }

/** What is wrapped of gossipsub's class. */
export interface AdmittingRouter {
  handleReceivedMessage(from: PeerId, message: RawMessage): Promise<void>
  validateReceivedMessage(from: PeerId, message: RawMessage): Promise<Outcome>
  handleIHave(peerId: string, ihave: { topicID?: string }[]): unknown[]
  /** Who owes us a message that it told us of. */
  readonly gossipTracer: { readonly size: number; deliverMessage(messageId: string): void }
  msgIdToStrFn(messageId: Uint8Array): string
}

/** What became of a peer's messages since it came, less copies of what others had sent. */
export interface PeerGossip {
  readonly accepted: number
  /** Ignored or rejected. */
  readonly useless: number
  /** Not looked at: it had sent too much that was useless. */
  readonly dropped: number
}

export interface AdmissionOptions {
  readonly allowance: GossipAllowance
  readonly passed: (peerId: string) => boolean
  /** The topic of this name on the wire, if this node follows it. */
  readonly followed: (id: string) => Topic | undefined
  /** Whether this node has no room for such a message of the topic, or to check it now. */
  readonly isFull: (id: string, payload: Uint8Array, from: string) => boolean
  readonly onDropped: (peerId: string, message: RawMessage, reason: DropReason) => void
  /** The first drop of a peer that has used up its allowance, after a while without any. */
  readonly onThrottled: (peerId: string, topic: Topic, counts: PeerGossip) => void
  /** Monotonic ms. */
  readonly now: () => number
}

/** The words of gossip traces. */
export type DropReason = 'not subscribed' | 'throttled' | 'no room'

interface Entry {
  readonly from: PeerId
  readonly message: RawMessage
  readonly topic: Topic
}

interface Sender {
  readonly inWork: Map<Topic, number>
  readonly waiting: Map<Topic, Entry[]>
  waitingBytes: number
  /** Monotonic ms of the last drop. */
  droppedAt: number
  readonly counts: { -readonly [Name in keyof PeerGossip]: number }
}

/** A message that gossipsub has been given. */
interface Work {
  outcome: Outcome | undefined
  readonly finish: (weighed: Weighed | 'unread') => void
}

const NOTHING = new Uint8Array(0)

export const NO_GOSSIP: PeerGossip = { accepted: 0, useless: 0, dropped: 0 }

/**
 * Decides which of a peer's messages reach gossipsub. One that is not looked at must not: its id would be remembered, and the
 * same message from an honest peer then dropped as seen. A peer that has its whole allowance in work waits; one that has used
 * it up is not looked at.
 */
export class GossipAdmission {
  readonly #options: AdmissionOptions
  readonly #turns = new Turns(TURN_WORK)
  readonly #senders = new Map<string, Sender>()
  readonly #works = new WeakMap<RawMessage, Work>()
  /** Those that wait to be told of, by gossipsub's text of their id. */
  readonly #valid = new Map<string, Work>()
  #handle: AdmittingRouter['handleReceivedMessage'] = async () => {}
  /** Is told of what is not looked at. */
  #delivered: (message: RawMessage) => void = () => {}

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** @param router before it is started */
  attach(router: AdmittingRouter): void {
    const validate = router.validateReceivedMessage.bind(router)
    router.validateReceivedMessage = async (from, message) => {
      const outcome = await validate(from, message)
      const work = this.#works.get(message)
      if (work !== undefined) {
        work.outcome = outcome
        if (outcome.code === 'valid') this.#valid.set(outcome.messageId.msgIdStr, work)
      }
      return outcome
    }
    this.#handle = router.handleReceivedMessage.bind(router)
    router.handleReceivedMessage = async (from, message) => this.#receive(from, message)
    this.#delivered = ({ topic, data = NOTHING }) => {
      // Whoever was asked for it has kept his word; a hash only where somebody was.
      if (router.gossipTracer.size === 0) return
      router.gossipTracer.deliverMessage(router.msgIdToStrFn(messageId(topic, data)))
    }
    const iHave = router.handleIHave.bind(router)
    router.handleIHave = (peerId, ihave) =>
      iHave(
        peerId,
        ihave.filter(({ topicID }) => this.#wants(peerId, topicID))
      )
  }

  /** gossipsub tells of a message. @returns to be called with the verdict on it */
  begin(messageId: string): (weighed: Weighed) => void {
    const work = this.#valid.get(messageId)
    this.#valid.delete(messageId)
    return (weighed) => work?.finish(weighed)
  }

  /** This node has published a message of this size: others may send it too. */
  published(bytes: number): void {
    this.#options.allowance.first(bytes)
  }

  countsOf(peerId: string): PeerGossip {
    return { ...(this.#senders.get(peerId)?.counts ?? NO_GOSSIP) }
  }

  forget(peerId: string): void {
    this.#senders.delete(peerId)
  }

  async #receive(from: PeerId, message: RawMessage): Promise<void> {
    const { allowance, followed, isFull, onDropped, passed } = this.#options
    const id = from.toString()
    if (!passed(id)) return
    const topic = followed(message.topic)
    if (topic === undefined) return onDropped(id, message, 'not subscribed')
    if (isFull(message.topic, message.data ?? NOTHING, id)) {
      this.#delivered(message)
      return onDropped(id, message, 'no room')
    }
    const sender = this.#senderOf(id)
    const entry = { from, message: unpinned(message), topic }
    const before = sender.waiting.get(topic)
    const reservation = before === undefined ? allowance.reserve(id, topic, sizeOf(message)) : undefined
    if (reservation !== undefined) await this.#begin(entry, sender, reservation)
    else if ((sender.inWork.get(topic) ?? 0) === 0 || !this.#wait(sender, entry)) this.#drop(sender, entry)
  }

  /** @returns only when gossipsub knows whether it is a copy; the verdict is not waited for */
  async #begin(entry: Entry, sender: Sender, reservation: Reservation): Promise<void> {
    const { allowance } = this.#options
    const { from, message, topic } = entry
    const bytes = sizeOf(message)
    sender.inWork.set(topic, (sender.inWork.get(topic) ?? 0) + 1)
    const work: Work = {
      outcome: undefined,
      finish: (weighed) => {
        reservation.settle(weighed === 'unread' ? 0 : weighed.waste)
        if (weighed !== 'unread') sender.counts[weighed.verdict === 'accept' ? 'accepted' : 'useless'] += 1
        sender.inWork.set(topic, (sender.inWork.get(topic) as number) - 1)
        this.#goOn(sender, topic)
      }
    }
    this.#works.set(message, work)
    // Events are checked in threads.
    await this.#turns.take(topic === 'events' ? 1 : costOf(topic, bytes))
    await this.#handle(from, message)
    const { outcome } = work
    if (outcome?.code === 'valid') {
      allowance.first(bytes)
      // Nobody was told of it: the topic is not followed any more.
      if (this.#valid.delete(outcome.messageId.msgIdStr)) work.finish('unread')
      return
    }
    if (outcome?.code === 'duplicate') allowance.copy(from.toString(), bytes)
    work.finish(outcome?.code === 'duplicate' ? 'unread' : { verdict: 'reject', waste: 1 })
  }

  /** @returns whether there is room for it */
  #wait(sender: Sender, entry: Entry): boolean {
    const bytes = sizeOf(entry.message)
    if (sender.waitingBytes + bytes > MAX_WAITING_BYTES) return false
    sender.waitingBytes += bytes
    const waiting = sender.waiting.get(entry.topic)
    if (waiting === undefined) sender.waiting.set(entry.topic, [entry])
    else waiting.push(entry)
    return true
  }

  /** Some of the peer's allowance has come back, or is spent. */
  #goOn(sender: Sender, topic: Topic): void {
    const waiting = sender.waiting.get(topic) ?? []
    for (let entry = waiting[0]; entry !== undefined; entry = waiting[0]) {
      const bytes = sizeOf(entry.message)
      const reservation = this.#options.allowance.reserve(entry.from.toString(), topic, bytes)
      if (reservation === undefined && (sender.inWork.get(topic) ?? 0) > 0) return
      waiting.shift()
      sender.waitingBytes -= bytes
      if (waiting.length === 0) sender.waiting.delete(topic)
      if (reservation === undefined) this.#drop(sender, entry)
      else void this.#begin(entry, sender, reservation)
    }
  }

  #drop(sender: Sender, { from, message, topic }: Entry): void {
    const now = this.#options.now()
    const isNews = now - sender.droppedAt >= THROTTLED_SAID_MS
    sender.droppedAt = now
    sender.counts.dropped += 1
    this.#delivered(message)
    if (isNews) this.#options.onThrottled(from.toString(), topic, { ...sender.counts })
    this.#options.onDropped(from.toString(), message, 'throttled')
  }

  /** What would not be looked at is not asked for: that it came to nothing would be held against the peer. */
  #wants(peerId: string, topicId: string | undefined): boolean {
    const topic = this.#options.followed(topicId ?? '')
    return topic !== undefined && this.#options.allowance.isOpen(peerId, topic)
  }

  #senderOf(peerId: string): Sender {
    const known = this.#senders.get(peerId)
    if (known !== undefined) return known
    const sender: Sender = {
      inWork: new Map(),
      waiting: new Map(),
      waitingBytes: 0,
      droppedAt: Number.NEGATIVE_INFINITY,
      counts: { ...NO_GOSSIP }
    }
    this.#senders.set(peerId, sender)
    return sender
  }
}

function sizeOf({ data }: RawMessage): number {
  return data?.byteLength ?? 0
}

/** A message is a view of the RPC that it came in, which may be as large as its sender likes, and is kept for a while. */
function unpinned(message: RawMessage): RawMessage {
  const { data } = message
  if (data === undefined || data.buffer.byteLength <= MAX_PINNED_BYTES + 2 * data.byteLength) return message
  return { ...message, data: data.slice() }
}
