/** Gossip is on its way to bring one block; two certified heights above ours are not. */
const BEHIND = 2
/** A short catch-up is over before the second peer has said hello; that many blocks are worth waiting for others. */
const GATHER_BLOCKS = 512
/** With this many peers nothing is waited for. */
const GATHER_PEERS = 4

/**
 * Range sync or gossip, recomputed each time from the ledger's tip and the highest certified height, so that no flag can
 * be wrong for long. Pure: times are given.
 */
export class Strategy {
  readonly #lagMs: number
  readonly #gatherMs: number
  /** Since when the ledger stands at `tip` while a higher height is certified. */
  #lag: { readonly tip: number; readonly since: number } | undefined
  #begunAt = 0

  /**
   * @param lagMs behind by a single block for this long, gossip has lost it
   * @param gatherMs how long a short catch-up waits for more peers, so that it does not lean on the first alone
   */
  constructor(lagMs: number, gatherMs: number) {
    this.#lagMs = lagMs
    this.#gatherMs = gatherMs
  }

  decide(syncing: boolean, tip: number, target: number, at: number): 'begin' | 'finish' | undefined {
    const behind = target - tip
    if (behind <= 0) {
      this.#lag = undefined
      return syncing ? 'finish' : undefined
    }
    if (this.#lag?.tip !== tip) this.#lag = { tip, since: at }
    if (syncing || (behind < BEHIND && at - this.#lag.since < this.#lagMs)) return undefined
    this.#begunAt = at
    return 'begin'
  }

  /** Whether requests may go out; once they may they may until the end. */
  gathered(tip: number, target: number, peers: number, at: number): boolean {
    return target - tip > GATHER_BLOCKS || peers >= GATHER_PEERS || at - this.#begunAt >= this.#gatherMs
  }
}
