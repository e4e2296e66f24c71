import type { GossipSub } from '@libp2p/gossipsub'
import { gossipsub, TopicValidatorResult } from '@libp2p/gossipsub'
import type { Connection, PeerId } from '@libp2p/interface'
import { type TopicRules, type Weighed, weigh } from '../chain/gossip-rules.ts'
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { networkError } from './errors.ts'
import {
  type AdmittingRouter,
  type DropReason,
  GossipAdmission,
  type PeerGossip,
  type RawMessage
} from './gossip-admission.ts'
import { GossipAllowance } from './gossip-allowance.ts'
import { GossipBudget } from './gossip-budget.ts'
import { GossipCounters } from './gossip-counters.ts'
import { type GatedRouter, GossipGate } from './gossip-gate.ts'
import { GossipInbound, type ReadRouter } from './gossip-inbound.ts'
import { GossipOutbound, type WrittenRouter } from './gossip-outbound.ts'
import { GOSSIP_PARAMS } from './gossip-params.ts'
import { scoreParams } from './gossip-score.ts'
import { messageId } from './message-id.ts'
import type { NetworkSettings } from './settings.ts'
import { TOPICS, topicId } from './topics.ts'
import { GossipTap, type TapOptions } from './trace/tap.ts'
import type { Topic, TopicView } from './types.ts'

/** What the class has and its interface has not; checked when it is attached, since a new version may have moved it. */
interface RouterInternals extends GatedRouter, ReadRouter, WrittenRouter, AdmittingRouter {
  onPeerDisconnected(peerId: PeerId): void
  reportMessageValidationResult(id: string, from: string, verdict: TopicValidatorResult): void
  getScore(peerId: string): number
  getMeshPeers(topic: string): string[]
}
type Router = GossipSub & RouterInternals
const INTERNALS = [
  'onIncomingStream',
  'onPeerConnected',
  'onPeerDisconnected',
  'createInboundStream',
  'createOutboundStream',
  'pipePeerReadStream',
  'handlePrune',
  'handleReceivedMessage',
  'validateReceivedMessage',
  'handleIHave',
  'handleIWant',
  'emitGossip',
  'pushGossip',
  'reportMessageValidationResult',
  'getScore',
  'msgIdToStrFn'
] as const

const VERDICTS = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject
} as const

export interface GossipOptions {
  readonly scope: string
  readonly settings: NetworkSettings
  /** Above it nothing is published. */
  readonly maxMessageBytes: number
  readonly passed: (peerId: string) => boolean
  readonly passedOn: (connection: Connection) => boolean
  readonly isValidator: (peerId: string) => boolean
  readonly penaltyPoints: (peerId: string) => number
  /** A peer has sent an RPC that no honest peer sends. */
  readonly onBadRpc: (peerId: string, message: string) => void
  /** Open connections of peers past Hello. */
  readonly connections: () => Iterable<Connection>
  /** Undefined: nobody is told what gossipsub does, and it is left as it is. */
  readonly trace: TapOptions | undefined
  readonly log: Log
}

/** What a message of a topic has to pass. */
interface Reader {
  readonly topic: Topic
  readonly isFull: (payload: Uint8Array, from: string) => boolean
  readonly read: (payload: Uint8Array, from: string) => Promise<Weighed>
}

/** gossipsub for the chain's topics: only peers past Hello are listened to, and every message waits for a verdict. */
export class Gossip {
  readonly #options: GossipOptions
  readonly #gate: GossipGate
  readonly #inbound: GossipInbound
  readonly #outbound: GossipOutbound
  /** By topic id. */
  readonly #readers = new Map<string, Reader>()
  readonly #admission: GossipAdmission
  readonly #counters = new GossipCounters()
  /** Set while libp2p runs: before, gossipsub throws at whatever is asked of it. */
  #router: Router | undefined
  #tap: GossipTap | undefined

  constructor(options: GossipOptions) {
    this.#options = options
    this.#gate = new GossipGate(options.passedOn)
    this.#inbound = new GossipInbound({
      ...options,
      frameMs: options.settings.frameMs,
      budget: new GossipBudget({ ...options, now: () => performance.now() })
    })
    this.#outbound = new GossipOutbound({ ...options, graceMs: options.settings.graceMs })
    this.#admission = new GossipAdmission({
      allowance: new GossipAllowance({ ...options, now: () => performance.now() }),
      passed: options.passed,
      followed: (id) => this.#readers.get(id)?.topic,
      isFull: (id, payload, from) => this.#readers.get(id)?.isFull(payload, from) === true,
      onDropped: (from, message, reason) => this.#dropped(from, message, reason),
      onThrottled: (peer, topic, { accepted, useless }) =>
        options.log.warn(
          { peer, topic, accepted, useless },
          `peer throttled: too much of what it sends is of no use here (${useless} messages, ${accepted} of use), so what it sends of topic ${topic} is not looked at for a while`
        ),
      now: () => performance.now()
    })
  }

  /** The libp2p service. */
  service(): ReturnType<typeof gossipsub> {
    const { scope, settings, penaltyPoints } = this.#options
    return gossipsub({
      ...GOSSIP_PARAMS,
      msgIdFn: ({ topic, data }) => messageId(topic, data),
      allowedTopics: TOPICS.map((topic) => topicId(scope, topic)),
      heartbeatInterval: settings.gossipHeartbeatMs,
      maxInboundDataLength: this.#inbound.maxRpcBytes,
      decodeRpcLimits: this.#inbound.decodeRpcLimits,
      maxOutboundBufferSize: settings.gossipBufferBytes,
      scoreParams: scoreParams(scope, penaltyPoints),
      metricsRegister: this.#counters.register,
      metricsTopicStrToLabel: new Map(TOPICS.map((topic) => [topicId(scope, topic), topic]))
    })
  }

  /** @param service what libp2p made of `service()`, before it is started */
  attach(service: GossipSub): void {
    const router = service as Router
    for (const name of INTERNALS) {
      if (typeof router[name] !== 'function')
        throw new TypeError(`gossipsub has no ${name}: another version than known`)
    }
    const { trace } = this.#options
    if (trace !== undefined) this.#tap = new GossipTap(service, trace)
    this.#gate.attach(router)
    this.#admission.attach(router)
    this.#inbound.attach(router)
    this.#outbound.attach(router)
    router.addEventListener('gossipsub:message', (event) => {
      const { propagationSource, msgId, msg } = event.detail
      void this.#validate(router, msgId, propagationSource.toString(), msg.topic, msg.data)
    })
    router.addEventListener('gossipsub:heartbeat', () => this.#outbound.watch())
  }

  /** libp2p has started. */
  started(service: GossipSub): void {
    this.#router = service as Router
    this.#tap?.start()
    for (const topic of this.#readers.keys()) this.#router.subscribe(topic)
  }

  /** libp2p is about to stop. */
  stopped(): void {
    this.#router = undefined
    this.#tap?.stop()
    this.#outbound.stop()
  }

  /** A Hello has passed on the connection. */
  admit(connection: Connection): void {
    this.#gate.admit(connection)
  }

  /** The session of the peer has ended. libp2p tells gossipsub only of those that had told it that they speak gossip. */
  forget(peerId: string): void {
    const left = this.#router?.peers.get(peerId)
    if (left !== undefined) this.#router?.onPeerDisconnected(left)
    this.#inbound.forget(peerId)
    this.#outbound.forget(peerId)
    this.#admission.forget(peerId)
  }

  subscribe<Message>(topic: Topic, rules: TopicRules<Message>): () => void {
    const id = topicId(this.#options.scope, topic)
    if (this.#readers.has(id)) throw new TypeError(`topic ${topic} has a reader already`)
    this.#readers.set(id, {
      topic,
      isFull: (payload, from) => rules.isFull?.(payload, from) === true,
      read: (payload, from) => weigh(rules, payload, from)
    })
    this.#router?.subscribe(id)
    return () => {
      if (!this.#readers.delete(id)) return
      this.#router?.unsubscribe(id)
    }
  }

  /** @returns to how many peers it went @throws MolochError MESSAGE_TOO_LARGE */
  async publish(topic: Topic, payload: Uint8Array): Promise<number> {
    const { maxMessageBytes, scope } = this.#options
    if (payload.byteLength > maxMessageBytes) {
      const message = `${topic} message of ${payload.byteLength} bytes; accepted: up to ${maxMessageBytes}`
      throw networkError('MESSAGE_TOO_LARGE', message, { topic, bytes: payload.byteLength })
    }
    const id = topicId(scope, topic)
    // Published to nobody it would still count as seen, and could not be published again for a while.
    if (this.#router === undefined || this.#router.getSubscribers(id).length === 0) return 0
    this.#admission.published(payload.byteLength)
    return (await this.#router.publish(id, payload)).recipients.length
  }

  score(peerId: string): number {
    return this.#router?.getScore(peerId) ?? 0
  }

  /** Of each topic that this node is subscribed to: who is in its mesh, who else follows it, and what it has carried. */
  topics(): TopicView[] {
    const router = this.#router
    if (router === undefined) return []
    return TOPICS.flatMap((topic) => {
      const id = topicId(this.#options.scope, topic)
      if (!this.#readers.has(id)) return []
      const subscribers = router.getSubscribers(id).map(String)
      return [{ topic, id, mesh: router.getMeshPeers(id), subscribers, counts: this.#counters.of(topic) }]
    })
  }

  /** Whether the peer has told us of a subscription, so that a publish reaches it. */
  isSubscriber(peerId: string): boolean {
    const router = this.#router
    if (router === undefined) return false
    return TOPICS.some((topic) =>
      router.getSubscribers(topicId(this.#options.scope, topic)).some((peer) => peer.toString() === peerId)
    )
  }

  /** Resolves true when the peer is a subscriber, false after `ms`. */
  async whenSubscriber(peerId: string, ms: number): Promise<boolean> {
    const router = this.#router
    if (router === undefined || this.isSubscriber(peerId)) return router !== undefined
    let timer: NodeJS.Timeout | undefined
    let check = (): void => {}
    try {
      return await new Promise<boolean>((resolve) => {
        check = () => this.isSubscriber(peerId) && resolve(true)
        router.addEventListener('subscription-change', check)
        timer = setTimeout(() => resolve(false), ms)
        timer.unref()
      })
    } finally {
      clearTimeout(timer)
      router.removeEventListener('subscription-change', check)
    }
  }

  /** What became of the peer's messages. */
  countsOf(peerId: string): PeerGossip {
    return this.#admission.countsOf(peerId)
  }

  async #validate(router: Router, id: string, from: string, topic: string, payload: Uint8Array): Promise<void> {
    const finish = this.#admission.begin(id)
    const reader = this.#readers.get(topic)
    // Of a fault of our own: it says nothing of the message.
    let weighed: Weighed = { verdict: 'ignore', waste: 0 }
    try {
      if (reader !== undefined) weighed = await reader.read(payload, from)
    } catch (error) {
      this.#options.log.warn({ topic, peer: from, err: messageOf(error) }, 'a gossip message was not judged')
    }
    if (weighed.verdict === 'reject') this.#options.log.debug({ topic, peer: from }, 'gossip message rejected')
    finish(weighed)
    router.reportMessageValidationResult(id, from, VERDICTS[weighed.verdict])
  }

  #dropped(from: string, message: RawMessage, reason: DropReason): void {
    const topic = this.#readers.get(message.topic)?.topic
    if (topic !== undefined) this.#counters.dropped(topic)
    this.#tap?.dropped(from, message, reason)
  }
}
