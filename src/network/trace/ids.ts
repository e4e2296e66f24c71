import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { RawMessage } from './router.ts'

const NO_BYTES = new Uint8Array(0)
/** Peers whose multihash is kept. */
const MAX_PEERS = 4096

/**
 * Ids of messages, hashed once each: a message is received or published once, and then sent to many. What gossipsub asks for
 * is kept by the payload, the one object that it hands on from the RPC to its own form of the message.
 */
export class MessageIds {
  readonly #hash: (topic: string, data: Uint8Array) => Uint8Array
  /** By the payload; of what was published by the message. */
  readonly #known = new WeakMap<object, Uint8Array>()

  constructor(hash: (topic: string, data: Uint8Array) => Uint8Array) {
    this.#hash = hash
  }

  of(message: RawMessage): Uint8Array {
    const { topic, data = NO_BYTES } = message
    return this.#known.get(message) ?? this.#known.get(data) ?? this.#hash(topic, data)
  }

  /** Its buffer is its owner's, who may fill it anew or publish it to another topic. */
  published(message: RawMessage, id: Uint8Array): void {
    this.#known.set(message, id)
  }

  /** For gossipsub itself. */
  forRouter(topic: string, data: Uint8Array): Uint8Array {
    const id = this.#hash(topic, data)
    this.#known.set(data, id)
    return id
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
