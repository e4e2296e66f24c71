import type { PeerId } from '@libp2p/interface'

/** The parts of gossipsub's RPC that matter here. */
export interface Rpc {
  subscriptions: { topic?: string }[]
  messages: unknown[]
  control?: {
    ihave: unknown[]
    iwant: unknown[]
    graft: { topicID?: string }[]
    prune: { topicID?: string; peers?: unknown[] }[]
    idontwant: unknown[]
  }
}

type Handle = (from: PeerId, rpc: Rpc) => Promise<void>

/** RPCs of one peer kept until it passes Hello; subscriptions and grafts come in one or two. */
const MAX_HELD = 8
/** Entries of one kept RPC: we have five topics. */
const MAX_ENTRIES = 8
/** Our topics' names are shorter: what is longer is none of them. */
const MAX_TOPIC_CHARS = 128
/** Peers for which any are kept: against peers that never say hello. */
const MAX_PEERS = 256

/**
 * Keeps gossip of peers that have not passed Hello from gossipsub. Ignoring such messages later would not do: their
 * ids would be remembered, and the same message from an honest peer then dropped as seen.
 */
export class GossipGate {
  readonly #passed: (peerId: string) => boolean
  readonly #held = new Map<string, { from: PeerId; rpcs: Rpc[] }>()
  #handle: Handle | undefined

  constructor(passed: (peerId: string) => boolean) {
    this.#passed = passed
  }

  /** gossipsub's handler, with the gate before it. */
  wrap(handle: Handle): Handle {
    this.#handle = handle
    return async (from, rpc) => {
      // Peer exchange: whom a stranger would have us dial. Its score keeps it out as well (gossip-params.ts).
      for (const prune of rpc.control?.prune ?? []) prune.peers = []
      const id = from.toString()
      if (this.#passed(id)) await handle(from, rpc)
      else this.#hold(id, from, rpc)
    }
  }

  /** Lets through what the peer said before it passed: subscriptions and control messages, no payloads. */
  admit(peerId: string): void {
    const held = this.#held.get(peerId)
    this.#held.delete(peerId)
    for (const rpc of held?.rpcs ?? []) {
      // Malformed control messages are gossipsub's to drop.
      this.#handle?.((held as { from: PeerId }).from, rpc).catch(() => {})
    }
  }

  forget(peerId: string): void {
    this.#held.delete(peerId)
  }

  #hold(id: string, from: PeerId, rpc: Rpc): void {
    const held = this.#held.get(id) ?? { from, rpcs: [] }
    if (held.rpcs.length >= MAX_HELD || (held.rpcs.length === 0 && this.#held.size >= MAX_PEERS)) return
    held.rpcs.push(reduced(rpc))
    this.#held.set(id, held)
  }
}

/** What is worth keeping, and no more than an honest peer would say: the rest may be as large as an RPC can be. */
function reduced(rpc: Rpc): Rpc {
  const few = <T extends { topic?: string; topicID?: string }>(entries: T[]): T[] =>
    entries.slice(0, MAX_ENTRIES).filter((entry) => (entry.topic ?? entry.topicID ?? '').length <= MAX_TOPIC_CHARS)
  const subscriptions = few(rpc.subscriptions)
  if (rpc.control === undefined) return { subscriptions, messages: [] }
  const graft = few(rpc.control.graft)
  return { subscriptions, messages: [], control: { ihave: [], iwant: [], graft, prune: [], idontwant: [] } }
}
