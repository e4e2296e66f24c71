import type { MessageIds, PeerBytes } from './ids.ts'
import type { Recorder, TraceSink } from './recorder.ts'
import type { RawRpc, TracedRouter } from './router.ts'
import { rpcMeta, unchanging } from './rpc-meta.ts'

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
    const recorder = this.#recorder
    const put = mcache.put.bind(mcache)
    mcache.put = (id, message, validated) => {
      if (validated === true) {
        const { msgId: messageId } = id
        const { topic } = message
        this.#ids.published(message, messageId)
        recorder.record((emit, timestamp) =>
          emit({ type: 'PUBLISH_MESSAGE', peerId: recorder.self, timestamp, messageId, topic })
        )
      }
      return put(id, message, validated)
    }
  }

  #wrapSend(): void {
    const send = this.#router.sendRpc.bind(this.#router)
    this.#router.sendRpc = (peer, rpc) => {
      // Before it is sent, or it might have been received before; but what is sent with it shows afterwards.
      const since = performance.now()
      const sent = send(peer, rpc)
      const said = unchanging(rpc)
      this.#recorder.record((emit, timestamp) => this.#said(emit, timestamp, peer, said, sent), since)
      return sent
    }
  }

  #wrapBatch(): void {
    const send = this.#router.sendRpcInBatch.bind(this.#router)
    this.#router.sendRpcInBatch = (peers, rpc) => {
      const since = performance.now()
      // It removes those to which it was not sent.
      const all = [...peers]
      send(peers, rpc)
      if (all.length === 0) return
      const sent = all.map((peer) => peers.has(peer))
      const said = unchanging(rpc)
      this.#recorder.record((emit, timestamp) => {
        for (const [i, peer] of all.entries()) this.#said(emit, timestamp, peer, said, sent[i] === true)
      }, since)
    }
  }

  #said(emit: TraceSink, timestamp: bigint, to: string, rpc: RawRpc, sent: boolean): void {
    const meta = rpcMeta(rpc, (message) => this.#ids.of(message))
    const type = sent ? 'SEND_RPC' : 'DROP_RPC'
    emit({ type, peerId: this.#recorder.self, timestamp, peer: this.#peers.of(to), meta })
  }
}
