/** The chance that a range goes to any peer instead of the best one, so that a peer that got faster is noticed. */
const EXPLORATION = 0.08

export interface Candidate {
  readonly id: string
  /** Measured bytes/s; undefined before the first answer. */
  readonly rate: number | undefined
  /** Requests that are out at this peer. */
  readonly active: number
}

/**
 * Which peer gets the next range: one not measured yet if it is idle (so every peer is tried, and used), otherwise the one that
 * would give this request the most bytes/s, and now and then any. @returns undefined if there is no candidate
 */
export function choosePeer<C extends Candidate>(candidates: readonly C[], random: () => number): C | undefined {
  if (candidates.length < 2) return candidates[0]
  const fresh = candidates.filter((peer) => peer.rate === undefined && peer.active === 0)
  if (fresh.length > 0) return pick(fresh, random)
  if (random() < EXPLORATION) return pick(candidates, random)
  return candidates.reduce((best, peer) => (share(peer) > share(best) ? peer : best))
}

/** The requests at one peer share what it gives. */
function share(peer: Candidate): number {
  return (peer.rate ?? 0) / (peer.active + 1)
}

function pick<C>(from: readonly C[], random: () => number): C | undefined {
  return from[Math.min(from.length - 1, Math.floor(random() * from.length))]
}
