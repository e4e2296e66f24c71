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

/** Who lie or lack it may be many; more than this are not asked for one answer. */
export const MAX_ASKED = 8
/** Of those so many are chosen by what they say that they hold. */
const BY_THEIR_WORD = 6

/**
 * The peers to ask, in order: first some that hold all that is needed, then those that hold most, by their own word and
 * by chance among equals: nobody else is to choose who is asked. Behind those come all others by chance. For what a peer
 * holds nobody can check: eight that say they hold all of it and then say nothing would be the only ones that are ever
 * asked, and an honest one that warped, or whose word of what it has filled in since is late, never.
 * @param random 0 … 1
 */
export function holders(peers: readonly Holder[], { from, to }: Needed, random: () => number = Math.random): string[] {
  const able = peers.filter(({ height }) => height >= to)
  // There is nothing below block 1 to hold: who says 0 holds no more.
  const depth = ({ earliest }: Holder): number =>
    from === undefined ? Math.max(1, earliest) : from === 0 || earliest <= from ? 0 : earliest
  const drawn = able
    .map((peer) => ({ id: peer.id, depth: depth(peer), rank: random() }))
    .sort((a, b) => a.rank - b.rank)
  const believed = drawn.toSorted((a, b) => a.depth - b.depth).slice(0, BY_THEIR_WORD)
  return [...believed, ...drawn.filter((peer) => !believed.includes(peer))].map(({ id }) => id)
}
