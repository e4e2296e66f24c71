/** Half of a peer's points are forgotten in this time. */
const HALF_LIFE_MS = 300_000
/** At this many points a peer is disconnected: some dozen timeouts on a bad link within minutes are not yet. */
export const DISCONNECT_POINTS = 20

/** Forgotten entries are looked for when there are this many: against peers that come under ever new ids. */
const SWEEP_AT = 1024

export interface Fault {
  readonly code: string
  readonly message: string
  /** Unix ms. */
  readonly at: number
}

interface Entry {
  readonly points: number
  /** Monotonic ms. */
  readonly at: number
  readonly last: Fault
}

/** Points of peers that were penalised, decaying, and why they got the last of them; pure but for the clock it is given. */
export class Penalties {
  readonly #entries = new Map<string, Entry>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** @returns the points with these */
  add(peerId: string, points: number, last: Fault): number {
    if (this.#entries.size >= SWEEP_AT) for (const peer of [...this.#entries.keys()]) this.points(peer)
    const sum = this.points(peerId) + points
    this.#entries.set(peerId, { points: sum, at: this.#now(), last })
    return sum
  }

  points(peerId: string): number {
    const entry = this.#entries.get(peerId)
    if (entry === undefined) return 0
    const points = entry.points * 0.5 ** ((this.#now() - entry.at) / HALF_LIFE_MS)
    if (points >= 0.1) return points
    this.#entries.delete(peerId)
    return 0
  }

  /** For as long as its points are remembered. */
  last(peerId: string): Fault | undefined {
    return this.#entries.get(peerId)?.last
  }

  forget(peerId: string): void {
    this.#entries.delete(peerId)
  }
}
