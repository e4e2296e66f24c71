import { TopicValidatorResult } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import { IGNORED } from '../../trace/event.ts'
import type { MessageIds, PeerBytes } from './ids.ts'
import type { Recorder, TraceSink } from './recorder.ts'
import type { Checked, RawMessage, RawRpc, TracedRouter } from './router.ts'
import { rpcMeta } from './rpc-meta.ts'

/** Words of go-libp2p-pubsub for verdicts of the application; gossipsub's own reasons keep its words. */
const VERDICT_REASONS = {
  [TopicValidatorResult.Ignore]: IGNORED,
  [TopicValidatorResult.Reject]: 'validation failed'
} as const

/**
 * What comes in: each RPC, and of each of its messages what becomes of it, which is one of DELIVER, DUPLICATE and REJECT.
 * gossipsub drops some without a word; for these there are reasons of our own: 'graylisted peer', 'topic not allowed',
 * 'not subscribed'; and 'throttled' for those that it is not given (gossip-admission.ts).
 */
export class Incoming {
  readonly #router: TracedRouter
  readonly #ids: MessageIds
  readonly #peers: PeerBytes
  readonly #recorder: Recorder
  /** Messages that wait for the application's verdict, by gossipsub's text of their id. */
  readonly #waiting = new Map<string, RawMessage>()
  #refused = false

  constructor(router: TracedRouter, ids: MessageIds, peers: PeerBytes, recorder: Recorder) {
    this.#router = router
    this.#ids = ids
    this.#peers = peers
    this.#recorder = recorder
    router.msgIdFn = ({ topic, data }) => ids.forRouter(topic, data)
    this.#wrapReceived()
    this.#wrapChecked()
    this.#wrapVerdicts()
  }

  /** A message of an RPC was not given to gossipsub. */
  dropped(from: string, message: RawMessage, reason: string): void {
    this.#reject(from, message, reason)
  }

  #wrapReceived(): void {
    const router = this.#router
    const accept = router.acceptFrom.bind(router)
    router.acceptFrom = (peer) => {
      const accepted = accept(peer)
      this.#refused = !accepted
      return accepted
    }
    const handle = router.handleReceivedRpc.bind(router)
    router.handleReceivedRpc = (from, rpc) => {
      this.#received(from, rpc)
      this.#refused = false
      // It asks acceptFrom before it waits for anything.
      const handled = handle(from, rpc)
      this.#dropped(from, rpc, this.#refused)
      return handled
    }
  }

  #wrapChecked(): void {
    const check = this.#router.validateReceivedMessage.bind(this.#router)
    this.#router.validateReceivedMessage = (from, message) => {
      const checked = check(from, message)
      // Beside it, not after it: gossipsub is to wait for no more than it did. Its own continuation comes after this one.
      checked.then(
        (result) => this.#checked(from, message, result),
        () => {}
      )
      return checked
    }
  }

  #wrapVerdicts(): void {
    const report = this.#router.reportMessageValidationResult.bind(this.#router)
    this.#router.reportMessageValidationResult = (id, from, verdict) => {
      this.#verdict(id, from, verdict)
      report(id, from, verdict)
    }
  }

  #received(from: PeerId, rpc: RawRpc): void {
    let bytes = 0
    if (rpc.messages !== undefined) for (const { data } of rpc.messages) bytes += data?.length ?? 0
    const note = (emit: TraceSink, timestamp: bigint) => {
      const meta = rpcMeta(rpc, (message) => this.#ids.of(message))
      const peer = this.#peers.of(from.toString())
      emit({ type: 'RECV_RPC', peerId: this.#recorder.self, timestamp, peer, meta })
    }
    this.#recorder.record(note, undefined, bytes)
  }

  #dropped(from: PeerId, { messages = [] }: RawRpc, refused: boolean): void {
    const { allowedTopics } = this.#router
    for (const message of messages) {
      if (refused) this.#reject(from.toString(), message, 'graylisted peer')
      else if (allowedTopics?.has(message.topic) === false) this.#reject(from.toString(), message, 'topic not allowed')
    }
  }

  #checked(from: PeerId, message: RawMessage, result: Checked): void {
    if (result.code === 'duplicate') this.#first('DUPLICATE_MESSAGE', from.toString(), message)
    else if (result.code === 'invalid') this.#reject(from.toString(), message, result.error ?? result.reason)
    // Nobody is told of it, so there will be no verdict.
    else if (!this.#router.subscriptions.has(message.topic)) this.#reject(from.toString(), message, 'not subscribed')
    else this.#waiting.set(result.messageId.msgIdStr, message)
  }

  #verdict(id: string, from: string, verdict: TopicValidatorResult): void {
    const message = this.#waiting.get(id)
    if (message === undefined || !this.#waiting.delete(id)) return
    if (verdict === TopicValidatorResult.Accept) this.#first('DELIVER_MESSAGE', from, message)
    else this.#reject(from, message, VERDICT_REASONS[verdict])
  }

  #first(type: 'DELIVER_MESSAGE' | 'DUPLICATE_MESSAGE', from: string, message: RawMessage): void {
    this.#recorder.record((emit, timestamp) => {
      const messageId = this.#ids.of(message)
      const receivedFrom = this.#peers.of(from)
      emit({ type, peerId: this.#recorder.self, timestamp, messageId, topic: message.topic, receivedFrom })
    })
  }

  #reject(from: string, message: RawMessage, reason: string): void {
    this.#recorder.record((emit, timestamp) => {
      const messageId = this.#ids.of(message)
      const about = { messageId, topic: message.topic, receivedFrom: this.#peers.of(from) }
      emit({ type: 'REJECT_MESSAGE', peerId: this.#recorder.self, timestamp, ...about, reason })
    })
  }
}
