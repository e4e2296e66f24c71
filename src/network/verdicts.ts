/**
 * What a fault of a peer ends in: one table for all floors. Codes are those of errors and of block checks
 * (chain/failures.ts); what is not in the table is penalised.
 */
import type { PeerVerdict } from './types.ts'

const TABLE: Readonly<Record<string, PeerVerdict>> = {
  // Honest peers say these.
  RATE_LIMITED: 'ignore',
  UNAVAILABLE: 'ignore',
  NOT_READY: 'ignore',
  ABORTED: 'ignore',
  PEER_UNKNOWN: 'ignore',
  PEER_UNSUPPORTED: 'ignore',
  // Honest peers on bad links do these.
  PEER_CLOSED: 'ignore',
  PEER_TIMEOUT: 'penalise',
  // No honest peer does these, but a peer of a newer version might.
  BAD_FRAME: 'disconnect',
  FRAME_TOO_LARGE: 'disconnect',
  TOO_MUCH: 'disconnect',
  BAD_REQUEST: 'penalise',
  // Wrong data: what an honest node has verified it never serves.
  WRONG_RANGE: 'disconnect',
  // These depend on our own chain too: if that is what is wrong, banning all who are right would leave us alone.
  BAD_PARENT: 'disconnect',
  BAD_MMR_ROOT: 'disconnect',
  BAD_STATE_ROOT: 'disconnect',
  BAD_TIMESTAMP: 'disconnect',
  TOO_LARGE: 'ban',
  NON_CANONICAL: 'ban',
  BAD_VERSION: 'ban',
  BAD_HEIGHT: 'disconnect',
  BAD_VALIDATORS_HASH: 'ban',
  BAD_EVENT_COUNT: 'ban',
  BAD_EVENTS_ROOT: 'ban',
  BAD_PROPOSER: 'ban',
  BAD_SEAL: 'ban',
  COMMIT_WRONG_BLOCK: 'ban',
  COMMIT_UNKNOWN_SIGNER: 'ban',
  COMMIT_REPEATED_SIGNER: 'ban',
  COMMIT_WRONG_ORDER: 'ban',
  COMMIT_TOO_FEW: 'ban',
  COMMIT_BAD_SIGNATURE: 'ban',
  // Two certified blocks at one height: validators are at fault, not the peer that shows it.
  CONFLICTING_FINALITY: 'ignore'
}

export function verdictFor(code: string): PeerVerdict {
  return TABLE[code] ?? 'penalise'
}

/** Half of a peer's points are forgotten in this time. */
const HALF_LIFE_MS = 300_000
/** At this many points a peer is disconnected: some dozen timeouts on a bad link within minutes are not yet. */
export const DISCONNECT_POINTS = 20

/** Forgotten entries are looked for when there are this many: against peers that come under ever new ids. */
const SWEEP_AT = 1024

/** Points of peers that were penalised, decaying; pure but for the clock it is given. */
export class Penalties {
  readonly #points = new Map<string, { points: number; at: number }>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** @returns the points after one more */
  add(peerId: string): number {
    if (this.#points.size >= SWEEP_AT) for (const peer of [...this.#points.keys()]) this.points(peer)
    const points = this.points(peerId) + 1
    this.#points.set(peerId, { points, at: this.#now() })
    return points
  }

  points(peerId: string): number {
    const entry = this.#points.get(peerId)
    if (entry === undefined) return 0
    const points = entry.points * 0.5 ** ((this.#now() - entry.at) / HALF_LIFE_MS)
    if (points >= 0.1) return points
    this.#points.delete(peerId)
    return 0
  }

  forget(peerId: string): void {
    this.#points.delete(peerId)
  }
}
