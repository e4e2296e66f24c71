/**
 * What each peer has been asked for: so that of what is missing every part is asked of every peer in its turn, whatever the
 * number of either.
 */

/** Counts what a peer was asked for; which of several things it is asked for next follows from that. */
export interface Turn {
  /** Undefined: it is asked for no block. */
  readonly block: number | undefined
  readonly polka: number
}

interface History {
  readonly questions: number
  readonly blocks: number
  /** The number of its last question for a block, among those of all peers. */
  readonly lastBlock: number
}

const NOTHING: History = { questions: 0, blocks: 0, lastBlock: 0 }

export class Asked {
  readonly #peers = new Map<string, History>()
  #blocks = 0

  /** Who is no peer any more is forgotten. */
  keep(peers: readonly string[]): void {
    const present = new Set(peers)
    for (const peer of this.#peers.keys()) if (!present.has(peer)) this.#peers.delete(peer)
  }

  turn(peer: string, forBlock: boolean): Turn {
    const { questions, blocks } = this.#of(peer)
    return { block: forBlock ? blocks : undefined, polka: questions }
  }

  add(peer: string, forBlock: boolean): void {
    const { questions, blocks, lastBlock } = this.#of(peer)
    this.#peers.set(peer, {
      questions: questions + 1,
      blocks: forBlock ? blocks + 1 : blocks,
      lastBlock: forBlock ? ++this.#blocks : lastBlock
    })
  }

  /** Of these the one that was asked for a block the longest time ago, or never; none if there are none. */
  nextForBlock(peers: readonly string[]): string[] {
    return [...peers].sort((a, b) => this.#of(a).lastBlock - this.#of(b).lastBlock || (a < b ? -1 : 1)).slice(0, 1)
  }

  #of(peer: string): History {
    return this.#peers.get(peer) ?? NOTHING
  }
}
