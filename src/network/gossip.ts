import type { GossipSub } from '@libp2p/gossipsub'
import { gossipsub, TopicValidatorResult } from '@libp2p/gossipsub'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { judge, type TopicRules, type Verdict } from '../chain/gossip-rules.ts'
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { networkError } from './errors.ts'
import { GossipCounters } from './gossip-counters.ts'
import { GossipGate, type Rpc } from './gossip-gate.ts'
import { GOSSIP_PARAMS } from './gossip-params.ts'
import { scoreParams } from './gossip-score.ts'
import { messageId } from './message-id.ts'
import type { NetworkSettings } from './settings.ts'
import { TOPICS, topicId } from './topics.ts'
import { GossipTap, type TapOptions } from './trace/tap.ts'
import type { Topic, TopicView } from './types.ts'
import { Validating } from './validating.ts'

/** One RPC frame: the largest message and what rides with it. it-length-prefixed itself stops at 4 MiB. */
const MAX_RPC_BYTES = 4 << 20
/**
 * A peer whose gossip stream did not open when it was tried again waits this long for the next try: streams are opened
 * one after the other, and a peer that never answers would hold up all.
 */
const REOPEN_EVERY_MS = 10_000

/** What the class has and its interface has not; checked when it is attached, since a new version may have moved it. */
interface RouterInternals {
  handleReceivedRpc(from: PeerId, rpc: Rpc): Promise<void>
  onPeerConnected(peerId: PeerId, connection: Connection): void
  createOutboundStream(peerId: PeerId, connection: Connection): Promise<void>
  reportMessageValidationResult(id: string, from: string, verdict: TopicValidatorResult): void
  getScore(peerId: string): number
  getMeshPeers(topic: string): string[]
  streamsOutbound: Map<string, { rawStream: Stream }>
}
type Router = GossipSub & RouterInternals
const INTERNALS = [
  'handleReceivedRpc',
  'onPeerConnected',
  'createOutboundStream',
  'reportMessageValidationResult',
  'getScore'
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
  readonly penaltyPoints: (peerId: string) => number
  /** Open connections of peers past Hello. */
  readonly connections: () => Iterable<Connection>
  /** Undefined: nobody is told what gossipsub does, and it is left as it is. */
  readonly trace: TapOptions | undefined
  readonly log: Log
}

/** gossipsub for the chain's topics: only peers past Hello are listened to, and every message waits for a verdict. */
export class Gossip {
  readonly #options: GossipOptions
  readonly #gate: GossipGate
  /** By topic id: what a message of it has to pass. */
  readonly #readers = new Map<string, (payload: Uint8Array, from: string) => Promise<Verdict>>()
  readonly #validating: Validating
  readonly #counters = new GossipCounters()
  readonly #tried = new Map<string, number>()
  /** Set while libp2p runs: before, gossipsub throws at whatever is asked of it. */
  #router: Router | undefined
  #tap: GossipTap | undefined

  constructor(options: GossipOptions) {
    this.#options = options
    this.#gate = new GossipGate(options.passed)
    this.#validating = new Validating(options.settings.maxValidating)
  }

  /** The libp2p service. */
  service(): ReturnType<typeof gossipsub> {
    const { scope, settings, penaltyPoints } = this.#options
    return gossipsub({
      ...GOSSIP_PARAMS,
      msgIdFn: ({ topic, data }) => messageId(topic, data),
      allowedTopics: TOPICS.map((topic) => topicId(scope, topic)),
      heartbeatInterval: settings.gossipHeartbeatMs,
      maxInboundDataLength: MAX_RPC_BYTES,
      maxOutboundBufferSize: settings.gossipBufferBytes,
      scoreParams: scoreParams(scope, settings, penaltyPoints),
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
    // Within the gate, so that it sees what gossipsub sees.
    if (trace !== undefined) this.#tap = new GossipTap(service, trace)
    router.handleReceivedRpc = this.#gate.wrap(router.handleReceivedRpc.bind(router))
    const open = router.createOutboundStream.bind(router)
    router.createOutboundStream = async (peerId, connection) => {
      await open(peerId, connection)
      // It did open: should it be reset before the next heartbeat, that is no reason to wait.
      if (router.streamsOutbound.has(peerId.toString())) this.#tried.delete(peerId.toString())
    }
    router.addEventListener('gossipsub:message', (event) => {
      const { propagationSource, msgId, msg } = event.detail
      void this.#validate(router, msgId, propagationSource.toString(), msg.topic, msg.data)
    })
    router.addEventListener('gossipsub:heartbeat', () => this.#watch(router))
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
    this.#tried.clear()
  }

  /** The peer has passed Hello: what it said of its subscriptions before now counts. */
  admit(peerId: string): void {
    this.#gate.admit(peerId)
  }

  forget(peerId: string): void {
    this.#gate.forget(peerId)
    this.#tried.delete(peerId)
  }

  subscribe<Message>(topic: Topic, rules: TopicRules<Message>): () => void {
    const id = topicId(this.#options.scope, topic)
    if (this.#readers.has(id)) throw new TypeError(`topic ${topic} has a reader already`)
    this.#readers.set(id, (payload, from) => judge(rules, payload, from))
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

  async #validate(router: Router, id: string, from: string, topic: string, payload: Uint8Array): Promise<void> {
    const read = this.#readers.get(topic)
    let verdict: Verdict = 'ignore'
    if (read !== undefined && this.#validating.enter(from, payload.byteLength)) {
      try {
        verdict = await read(payload, from)
      } catch (error) {
        this.#options.log.warn({ topic, peer: from, err: messageOf(error) }, 'a gossip message was not judged')
      }
      this.#validating.leave(from, payload.byteLength)
    }
    if (verdict === 'reject') this.#options.log.debug({ topic, peer: from }, 'gossip message rejected')
    router.reportMessageValidationResult(id, from, VERDICTS[verdict])
  }

  /**
   * Opens the gossip streams that are missing. gossipsub opens one when a connection does, and never again: after a
   * reset it would be silent to that peer for as long as the connection lives. Nor does it move to a newer connection
   * while the stream of an older one seems open: that may be to a process that is gone.
   */
  #watch(router: Router): void {
    const now = performance.now()
    for (const connection of this.#options.connections()) {
      const id = connection.remotePeer.toString()
      const stream = router.streamsOutbound.get(id)?.rawStream
      if (stream?.remoteWriteStatus === 'closed') {
        // The peer has dropped our stream without a reset; nobody reads it.
        stream.abort(new Error('the peer has closed its end of the gossip stream'))
        continue
      }
      if (stream !== undefined && !connection.streams.includes(stream)) {
        // Closed and not reset: at a reset a live peer forgets us, and what it opens then is moved in turn, for ever.
        const signal = AbortSignal.timeout(this.#options.settings.graceMs)
        stream.close({ signal }).catch((error: Error) => stream.abort(error))
        router.streamsOutbound.delete(id)
      } else if (stream !== undefined) {
        continue
      }
      if (now - (this.#tried.get(id) ?? Number.NEGATIVE_INFINITY) < REOPEN_EVERY_MS) continue
      this.#tried.set(id, now)
      this.#options.log.debug({ peer: id }, 'gossip stream opened again')
      router.onPeerConnected(connection.remotePeer, connection)
    }
  }
}
