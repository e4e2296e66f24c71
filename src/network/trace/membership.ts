import type { PeerBytes } from './ids.ts'
import type { Recorder } from './recorder.ts'
import type { TracedRouter } from './router.ts'
import { unwatchSet, watchMap, watchSet } from './watch.ts'

/**
 * Who is there: topics that we join and leave, peers that enter and leave our meshes for whatever reason (a GRAFT or PRUNE of
 * either side, or the peer has gone), and the streams that we send on.
 */
export class Membership {
  readonly #router: TracedRouter
  readonly #peers: PeerBytes
  readonly #recorder: Recorder

  constructor(router: TracedRouter, peers: PeerBytes, recorder: Recorder) {
    this.#router = router
    this.#peers = peers
    this.#recorder = recorder
    this.#wrapTopics()
    this.#watchMesh()
    this.#watchStreams()
  }

  /** gossipsub is about to stop: it leaves all topics without calling it so. */
  left(): void {
    for (const topic of this.#router.mesh.keys()) this.#topic('LEAVE', topic)
  }

  #wrapTopics(): void {
    const router = this.#router
    const join = router.join.bind(router)
    router.join = (topic) => {
      if (router.isStarted() && !router.mesh.has(topic)) this.#topic('JOIN', topic)
      join(topic)
    }
    const leave = router.leave.bind(router)
    router.leave = (topic) => {
      if (router.isStarted() && router.mesh.has(topic)) this.#topic('LEAVE', topic)
      leave(topic)
    }
  }

  #watchMesh(): void {
    watchMap(this.#router.mesh, {
      added: (topic, peers) => {
        for (const peer of peers) this.#member('GRAFT', peer, topic)
        watchSet(peers, {
          added: (peer) => this.#member('GRAFT', peer, topic),
          removed: (peer) => this.#member('PRUNE', peer, topic)
        })
      },
      removed: (topic, peers) => {
        unwatchSet(peers)
        for (const peer of peers) this.#member('PRUNE', peer, topic)
      }
    })
  }

  #watchStreams(): void {
    const recorder = this.#recorder
    watchMap(this.#router.streamsOutbound, {
      added: (id, { protocol }) =>
        recorder.record((emit, timestamp) => {
          const about = { peerId: recorder.self, timestamp, peer: this.#peers.of(id) }
          emit({ type: 'ON_NEW_OUTBOUND_STREAM', ...about, protocol })
        }),
      removed: (id) =>
        recorder.record((emit, timestamp) => {
          emit({ type: 'ON_CLOSED_OUTBOUND_STREAM', peerId: recorder.self, timestamp, peer: this.#peers.of(id) })
        })
    })
  }

  #topic(type: 'JOIN' | 'LEAVE', topic: string): void {
    const recorder = this.#recorder
    recorder.record((emit, timestamp) => emit({ type, peerId: recorder.self, timestamp, topic }))
  }

  #member(type: 'GRAFT' | 'PRUNE', id: string, topic: string): void {
    const recorder = this.#recorder
    recorder.record((emit, timestamp) =>
      emit({ type, peerId: recorder.self, timestamp, peer: this.#peers.of(id), topic })
    )
  }
}
