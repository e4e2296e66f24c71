import type { Commit } from '../../../src/chain/commit.ts'
import { eventId } from '../../../src/chain/event.ts'
import { merkleRoot } from '../../../src/chain/merkle.ts'
import type { Header } from '../../../src/codec/generated/chain.ts'
import { SignedEvent } from '../../../src/codec/generated/event.ts'
import { ChainPorts } from '../../network/support/nodes.ts'
import { honestChain, SNAPSHOT_INTERVAL, TIP } from './chain.ts'
import { type Forge, flipped } from './forge.ts'
import type { HostilePeer, Role, Wanted } from './hostile.ts'

/** What is answered to a request for blocks; as many as it likes. */
export type Answer = (wanted: Wanted, forge: Forge) => readonly Uint8Array[]

/** Speaks the protocol as it should and serves what it likes. */
export class LyingPorts extends ChainPorts {
  readonly #peer: HostilePeer
  readonly #answer: Answer

  constructor(peer: HostilePeer, answer: Answer) {
    super(TIP, honestChain())
    this.#peer = peer
    this.#answer = answer
  }

  override async *readBlocks(start: number, count: number): AsyncGenerator<Uint8Array> {
    this.#peer.asked.push({ start, count })
    yield* this.#answer({ start, count }, this.#peer.forge)
    this.#peer.strike()
  }
}

/** Serves `answer` in place of the blocks that it is asked for. */
export function serving(answer: Answer): Role {
  return { ports: (peer) => new LyingPorts(peer, answer) }
}

/** Where in an answer the bad block is: after some good ones. */
export const DEEP = 3

/** Good blocks, and in the middle of each answer a bad one. */
export function badBlock(make: (forge: Forge, height: number) => Uint8Array, at = deep): Role {
  return serving((wanted, forge) => {
    const bad = at(wanted)
    return heights(wanted).map((height) => (height === bad ? make(forge, height) : forge.honest(height)))
  })
}

/** The same with a good block under another commit. */
export function badCommit(make: (forge: Forge, height: number) => Commit): Role {
  return badBlock((forge, height) => forge.withCommit(height, make(forge, height)))
}

/** The same with a block whose header says something else: under the commit of the block that it was. */
export function uncertified(header: (header: Header) => Partial<Header>, at?: (wanted: Wanted) => number): Role {
  return badBlock((forge, height) => forge.uncertified(height, { header }), at)
}

/** The same, and a quorum of the validators has signed it all the same. */
export function certified(header: (header: Header) => Partial<Header>, at?: (wanted: Wanted) => number): Role {
  return badBlock((forge, height) => forge.certified(height, { header }), at)
}

/** The same, and what it has signed is a block with an event that its actor has not. */
export function falselySigned(): Role {
  return badBlock((forge, height) => {
    const events = forge.events(height)
    const event = SignedEvent.decode(events[0] as Uint8Array)
    const signature = flipped(event.signature)
    const forged = [SignedEvent.encode({ ...event, signature }), ...events.slice(1)]
    const eventsRoot = merkleRoot(forged.map(idOf))
    return forge.certified(height, { header: () => ({ eventsRoot }), events: () => forged })
  })
}

function idOf(bytes: Uint8Array): Uint8Array {
  const { actor, signature, body } = SignedEvent.decode(bytes)
  return eventId(actor, signature, body)
}

/** The first height of an answer that must carry a new state root. */
export function atSnapshot({ start }: Wanted): number {
  return Math.ceil(start / SNAPSHOT_INTERVAL) * SNAPSHOT_INTERVAL
}

/** The first one that must repeat its parent's. */
export function offSnapshot({ start }: Wanted): number {
  return start % SNAPSHOT_INTERVAL === 0 ? start + 1 : start
}

export function heights({ start, count }: Wanted): number[] {
  return Array.from({ length: count }, (_, index) => start + index)
}

export function deep({ start, count }: Wanted): number {
  return start + Math.min(DEEP, count - 1)
}
