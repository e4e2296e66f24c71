import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { RawMessage } from './router.ts'

const NO_BYTES = new Uint8Array(0)
/** Peers whose multihash is kept. */
const MAX_PEERS = 4096

/**
 * Ids of messages, hashed once each: a message is received or published once, and then sent to many. They are kept by the
 * payload, the one object that gossipsub hands on from the RPC to its own form of the message.
 */
export class MessageIds {
  readonly #hash: (topic: string, data: Uint8Array) => Uint8Array
  readonly #known = new WeakMap<Uint8Array, { topic: string; id: Uint8Array; received: boolean }>()

  constructor(hash: (topic: string, data: Uint8Array) => Uint8Array) {
    this.#hash = hash
  }

  of({ topic, data = NO_BYTES }: RawMessage): Uint8Array {
    const known = this.#known.get(data)
    return known?.topic === topic ? known.id : this.#hash(topic, data)
  }

  received({ topic, data = NO_BYTES }: RawMessage): Uint8Array {
    const id = this.#hash(topic, data)
    this.#known.set(data, { topic, id, received: true })
    return id
  }

  published({ topic, data = NO_BYTES }: RawMessage, id: Uint8Array): void {
    this.#known.set(data, { topic, id, received: false })
  }

  /** For gossipsub itself. What is to be published is not looked up: its buffer is its owner's, who may fill it anew. */
  forRouter(topic: string, data: Uint8Array): Uint8Array {
    const known = this.#known.get(data)
    return known?.received === true && known.topic === topic ? known.id : this.#hash(topic, data)
  }
}

/** Raw multihashes of peers. */
export class PeerBytes {
  readonly #peers: ReadonlyMap<string, PeerId>
  readonly #known = new Map<string, Uint8Array>()

  /** @param peers where a peer's id may be found */
  constructor(peers: ReadonlyMap<string, PeerId>) {
    this.#peers = peers
  }

  of(id: string): Uint8Array {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const { bytes } = (this.#peers.get(id) ?? peerIdFromString(id)).toMultihash()
    if (this.#known.size >= MAX_PEERS) this.#known.clear()
    this.#known.set(id, bytes)
    return bytes
  }
}
