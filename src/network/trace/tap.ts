import type { Log } from '../../log.ts'
import { messageId } from '../message-id.ts'
import { MessageIds, PeerBytes } from './ids.ts'
import { Incoming } from './incoming.ts'
import { Membership } from './membership.ts'
import { Outgoing } from './outgoing.ts'
import { Recorder, type TraceSink } from './recorder.ts'
import { assertTraceable, type RawMessage, type TracedRouter } from './router.ts'

export interface TapOptions {
  /** Our own raw multihash. */
  readonly self: Uint8Array
  readonly sink: TraceSink
  /** Between two samples of all peers' scores. */
  readonly scoresMs: number
  /** How long the sink is told nothing, to be told all at once. */
  readonly batchMs: number
  readonly log: Log
}

/**
 * Tells a sink of all that gossipsub does, without a fork of it: methods of the one instance are wrapped, and two of its maps
 * watched. It is what gossipsub sees. A peer that has not passed Hello is kept from it (gossip-gate.ts): what such a peer sends
 * is nowhere in the trace, until it passes.
 *
 * gossipsub waits for nothing here, and no failure reaches it. Ids of messages and peers are shared between events: a sink
 * may keep them, and must not change them.
 */
export class GossipTap {
  readonly #router: TracedRouter
  readonly #peers: PeerBytes
  readonly #recorder: Recorder
  readonly #membership: Membership
  readonly #incoming: Incoming
  readonly #scoresMs: number
  #sampling: NodeJS.Timeout | undefined

  /**
   * @param service gossipsub before it is started and before anybody else wraps it
   * @throws TypeError if it is another version than known
   */
  constructor(service: object, { scoresMs, ...options }: TapOptions) {
    this.#router = assertTraceable(service)
    this.#peers = new PeerBytes(this.#router.peers)
    this.#recorder = new Recorder(options)
    this.#scoresMs = scoresMs
    const ids = new MessageIds(messageId)
    this.#incoming = new Incoming(this.#router, ids, this.#peers, this.#recorder)
    new Outgoing(this.#router, ids, this.#peers, this.#recorder)
    this.#membership = new Membership(this.#router, this.#peers, this.#recorder)
  }

  /** Begins to sample scores, and to gather what happens before it is told. */
  start(): void {
    this.#recorder.start()
    this.#sampling = setInterval(() => this.#sample(), this.#scoresMs)
    this.#sampling.unref()
  }

  /** A message of an RPC was not given to gossipsub. */
  dropped(from: string, message: RawMessage, reason: string): void {
    this.#incoming.dropped(from, message, reason)
  }

  /** gossipsub is about to stop. What it does until it has is told at once. */
  stop(): void {
    clearInterval(this.#sampling)
    this.#membership.left()
    this.#recorder.stop()
  }

  #sample(): void {
    const { peers } = this.#router
    if (peers.size === 0) return
    const scores = [...peers.keys()].map((id) => ({ id, score: this.#router.getScore(id) }))
    this.#recorder.record((emit, timestamp) => {
      const sampled = scores.map(({ id, score }) => ({ peer: this.#peers.of(id), score }))
      emit({ type: 'SCORES', peerId: this.#recorder.self, timestamp, scores: sampled })
    })
  }
}
