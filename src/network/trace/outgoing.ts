import type { RpcMeta } from '../../trace/event.ts'
import type { MessageIds, PeerBytes } from './ids.ts'
import { nowNs, type Recorder, type TraceSink } from './recorder.ts'
import type { RawRpc, TracedRouter } from './router.ts'
import { rpcMeta } from './rpc-meta.ts'

/** What goes out: messages of our own, and each RPC to each peer, sent or dropped for want of a stream with room. */
export class Outgoing {
  readonly #router: TracedRouter
  readonly #ids: MessageIds
  readonly #peers: PeerBytes
  readonly #recorder: Recorder

  constructor(router: TracedRouter, ids: MessageIds, peers: PeerBytes, recorder: Recorder) {
    this.#router = router
    this.#ids = ids
    this.#peers = peers
    this.#recorder = recorder
    this.#wrapPublish()
    this.#wrapSend()
    this.#wrapBatch()
  }

  /**
   * Not `publish` itself: when it is called the message may be one that was seen and goes nowhere, and when it resolves all is
   * sent. In between it puts the message into the cache as one that needs no verdict, which it does with no other.
   */
  #wrapPublish(): void {
    const { mcache } = this.#router
    const put = mcache.put.bind(mcache)
    mcache.put = (id, message, validated) => {
      if (validated === true) {
        this.#recorder.record((emit) => {
          this.#ids.published(message, id.msgId)
          const timestamp = this.#recorder.time()
          const { self } = this.#recorder
          emit({ type: 'PUBLISH_MESSAGE', peerId: self, timestamp, messageId: id.msgId, topic: message.topic })
        })
      }
      return put(id, message, validated)
    }
  }

  #wrapSend(): void {
    const send = this.#router.sendRpc.bind(this.#router)
    this.#router.sendRpc = (peer, rpc) => {
      // Before it is sent, or it might have been received before; but what is sent with it shows afterwards.
      const since = nowNs()
      const sent = send(peer, rpc)
      this.#recorder.record((emit) => this.#said(peer, this.#meta(rpc), sent, since, emit))
      return sent
    }
  }

  #wrapBatch(): void {
    const send = this.#router.sendRpcInBatch.bind(this.#router)
    this.#router.sendRpcInBatch = (peers, rpc) => {
      const since = nowNs()
      // It removes those to which it was not sent.
      const all = [...peers]
      send(peers, rpc)
      if (all.length === 0) return
      this.#recorder.record((emit) => {
        const meta = this.#meta(rpc)
        for (const peer of all) this.#said(peer, meta, peers.has(peer), since, emit)
      })
    }
  }

  #meta(rpc: RawRpc): RpcMeta {
    return rpcMeta(rpc, (message) => this.#ids.of(message))
  }

  #said(to: string, meta: RpcMeta, sent: boolean, since: bigint, emit: TraceSink): void {
    const type = sent ? 'SEND_RPC' : 'DROP_RPC'
    emit({ type, peerId: this.#recorder.self, timestamp: this.#recorder.time(since), peer: this.#peers.of(to), meta })
  }
}
