/** A peer that has the certified chain, as it says itself. */
export interface Holder {
  readonly id: string
  /** Of its certified tip. */
  readonly height: number
  /** From here up it holds blocks and headers. */
  readonly earliest: number
}

/** The blocks that an answer rests on. */
export interface Needed {
  /** The lowest; 0: none, for block 0 everybody has. Undefined: only the answer says which. */
  readonly from: number | undefined
  readonly to: number
}

/**
 * The peers to ask, in order: those that hold all that is needed, or, if none does, whoever holds most first. Among equals
 * it is chance: nobody else is to choose who is asked.
 * @param random 0 … 1
 */
export function holders(peers: readonly Holder[], { from, to }: Needed, random: () => number = Math.random): string[] {
  const able = peers.filter(({ height }) => height >= to)
  const whole = from === undefined ? [] : able.filter(({ earliest }) => from === 0 || earliest <= from)
  const depth = ({ earliest }: Holder): number => (whole.length > 0 ? 0 : earliest)
  return (whole.length > 0 ? whole : able)
    .map((peer) => ({ id: peer.id, depth: depth(peer), rank: random() }))
    .sort((a, b) => a.depth - b.depth || a.rank - b.rank)
    .map(({ id }) => id)
}
