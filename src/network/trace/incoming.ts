import { TopicValidatorResult } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import type { MessageIds, PeerBytes } from './ids.ts'
import type { Recorder, TraceSink } from './recorder.ts'
import type { Checked, RawMessage, RawRpc, TracedRouter } from './router.ts'
import { rpcMeta } from './rpc-meta.ts'

/** Words of go-libp2p-pubsub for verdicts of the application; gossipsub's own reasons keep its words. */
const VERDICT_REASONS = {
  [TopicValidatorResult.Ignore]: 'validation ignored',
  [TopicValidatorResult.Reject]: 'validation failed'
} as const

/**
 * What comes in: each RPC, and of each of its messages what becomes of it, which is one of DELIVER, DUPLICATE and REJECT.
 * gossipsub drops some without a word; for these there are reasons of our own: 'graylisted peer', 'topic not allowed',
 * 'not subscribed'.
 */
export class Incoming {
  readonly #router: TracedRouter
  readonly #ids: MessageIds
  readonly #peers: PeerBytes
  readonly #recorder: Recorder
  /** Messages that wait for the application's verdict, by gossipsub's text of their id. */
  readonly #waiting = new Map<string, { readonly messageId: Uint8Array; readonly topic: string }>()
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
      this.#recorder.record((emit) => this.#received(from, rpc, emit))
      this.#refused = false
      // It asks acceptFrom before it waits for anything.
      const handled = handle(from, rpc)
      this.#recorder.record((emit) => this.#dropped(from, rpc, this.#refused, emit))
      return handled
    }
  }

  #wrapChecked(): void {
    const check = this.#router.validateReceivedMessage.bind(this.#router)
    this.#router.validateReceivedMessage = (from, message) => {
      const checked = check(from, message)
      // Beside it, not after it: gossipsub is to wait for no more than it did. Its own continuation comes after this one.
      checked.then(
        (result) => this.#recorder.record((emit) => this.#checked(from, message, result, emit)),
        () => {}
      )
      return checked
    }
  }

  #wrapVerdicts(): void {
    const report = this.#router.reportMessageValidationResult.bind(this.#router)
    this.#router.reportMessageValidationResult = (id, from, verdict) => {
      this.#recorder.record((emit) => this.#verdict(id, from, verdict, emit))
      report(id, from, verdict)
    }
  }

  #received(from: PeerId, rpc: RawRpc, emit: TraceSink): void {
    const timestamp = this.#recorder.time()
    const meta = rpcMeta(rpc, (message) => this.#ids.received(message))
    emit({ type: 'RECV_RPC', peerId: this.#recorder.self, timestamp, peer: this.#peers.of(from.toString()), meta })
  }

  #dropped(from: PeerId, { messages = [] }: RawRpc, refused: boolean, emit: TraceSink): void {
    const { allowedTopics } = this.#router
    for (const message of messages) {
      if (refused) this.#reject(from.toString(), this.#about(message), 'graylisted peer', emit)
      else if (allowedTopics?.has(message.topic) === false) {
        this.#reject(from.toString(), this.#about(message), 'topic not allowed', emit)
      }
    }
  }

  #checked(from: PeerId, message: RawMessage, result: Checked, emit: TraceSink): void {
    const about = this.#about(message)
    if (result.code === 'duplicate') this.#first('DUPLICATE_MESSAGE', from.toString(), about, emit)
    else if (result.code === 'invalid') this.#reject(from.toString(), about, result.error ?? result.reason, emit)
    // Nobody is told of it, so there will be no verdict.
    else if (!this.#router.subscriptions.has(message.topic))
      this.#reject(from.toString(), about, 'not subscribed', emit)
    else this.#waiting.set(result.messageId.msgIdStr, about)
  }

  #verdict(id: string, from: string, verdict: TopicValidatorResult, emit: TraceSink): void {
    const about = this.#waiting.get(id)
    if (about === undefined || !this.#waiting.delete(id)) return
    if (verdict === TopicValidatorResult.Accept) this.#first('DELIVER_MESSAGE', from, about, emit)
    else this.#reject(from, about, VERDICT_REASONS[verdict], emit)
  }

  #about(message: RawMessage): { messageId: Uint8Array; topic: string } {
    return { messageId: this.#ids.of(message), topic: message.topic }
  }

  #first(
    type: 'DELIVER_MESSAGE' | 'DUPLICATE_MESSAGE',
    from: string,
    { messageId, topic }: { readonly messageId: Uint8Array; readonly topic: string },
    emit: TraceSink
  ): void {
    const { self } = this.#recorder
    emit({ type, peerId: self, timestamp: this.#recorder.time(), messageId, topic, receivedFrom: this.#peers.of(from) })
  }

  #reject(
    from: string,
    { messageId, topic }: { readonly messageId: Uint8Array; readonly topic: string },
    reason: string,
    emit: TraceSink
  ): void {
    const { self } = this.#recorder
    const timestamp = this.#recorder.time()
    const receivedFrom = this.#peers.of(from)
    emit({ type: 'REJECT_MESSAGE', peerId: self, timestamp, messageId, topic, receivedFrom, reason })
  }
}
