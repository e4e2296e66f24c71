/** What is under way, and how to end it. */
interface Share {
  readonly address: string
  bytes: number
  /** When it began to be sent, on the clock of `now`; undefined: it is not yet. */
  sentFrom: number | undefined
  readonly cut: () => void
}

export interface BudgetLimits {
  readonly bytes: number
  /** Of them at most so many for one address. */
  readonly bytesAnAddress: number
  /** What is being sent for longer gives way to others, in ms. */
  readonly slowMs: number
}

/** A part of a budget that is taken. */
export interface Taken {
  /** Now its size is known, and it goes out. */
  send(bytes: number): void
  /** Idempotent. */
  release(): void
}

/**
 * Memory for what callers make the node hold, counted before it is made. When there is none left, what has been on its way for
 * long is ended: who takes an answer slowly keeps it only as long as nobody else needs the room.
 */
export class Budget {
  readonly #limits: BudgetLimits
  readonly #now: () => number
  /** The oldest first. */
  readonly #shares = new Set<Share>()
  #bytes = 0

  constructor(limits: BudgetLimits, now = () => performance.now()) {
    this.#limits = limits
    this.#now = now
  }

  /** What is taken now. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * @param cut ends what it is taken for
   * @returns undefined if there is no room
   */
  take(address: string, bytes: number, cut: () => void): Taken | undefined {
    const hasRoom = (): boolean => this.#bytes + bytes <= this.#limits.bytes
    const hasShare = (): boolean => this.#bytesOf(address) + bytes <= this.#limits.bytesAnAddress
    for (const share of this.#shares) {
      if (hasRoom() && hasShare()) break
      const isSlow = share.sentFrom !== undefined && this.#now() - share.sentFrom > this.#limits.slowMs
      if (!isSlow || (hasRoom() && share.address !== address)) continue
      this.#release(share)
      share.cut()
    }
    return hasRoom() && hasShare() ? this.add(address, bytes, cut) : undefined
  }

  /** Whether there is room or not: for what is there already. */
  add(address: string, bytes: number, cut: () => void): Taken {
    const share: Share = { address, bytes, sentFrom: undefined, cut }
    this.#shares.add(share)
    this.#bytes += bytes
    return {
      send: (size) => {
        if (!this.#shares.has(share)) return
        this.#bytes += size - share.bytes
        share.bytes = size
        share.sentFrom = this.#now()
      },
      release: () => this.#release(share)
    }
  }

  #bytesOf(address: string): number {
    let bytes = 0
    for (const share of this.#shares) if (share.address === address) bytes += share.bytes
    return bytes
  }

  #release(share: Share): void {
    if (this.#shares.delete(share)) this.#bytes -= share.bytes
  }
}
