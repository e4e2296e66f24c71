import type { Hold, PeerRecord, PeerStore } from '../store/peer-store.ts'

/** Peers and holds remembered at once: against floods of peer ids, in memory and on disk. */
const MAX_PEERS = 4096
/** Of one peer: an honest one has one or two. */
const MAX_ADDRESSES = 8
/** Of one host, of peers that came to us: ids are free, and must not push others out of the book. */
const MAX_OF_ONE_HOST = 16
/** How often it is written down that a session is still open. */
const STILL_THERE_MS = 3_600_000
/** Where we reached a peer ourselves is worth more than where one says it is. */
const REACHED_BONUS_MS = 7 * 24 * 3_600_000
/** A peer that was not met for this long is forgotten: its address has likely gone to somebody else. */
const FORGET_MS = 30 * 24 * 3_600_000

/** Where records outlive the process. */
export type PeerRecords = Pick<PeerStore, 'loaded' | 'save' | 'remove'>

export const NO_RECORDS: PeerRecords = { loaded: [], save() {}, remove() {} }

/** The address book: whom this node has met and where, and whom it holds out. */
export class KnownPeers {
  readonly #records: PeerRecords
  readonly #now: () => number
  readonly #peers = new Map<string, PeerRecord>()

  /** @param now Unix ms */
  constructor(records: PeerRecords, now: () => number) {
    this.#records = records
    this.#now = now
    for (const record of records.loaded) {
      if (this.#isWorthKeeping(record)) this.#peers.set(record.peerId, record)
      else records.remove(record.peerId)
    }
  }

  get size(): number {
    return this.#peers.size
  }

  /** Whether we have reached the peer ourselves, ever. */
  isReached(peerId: string): boolean {
    return this.#peers.get(peerId)?.reached === true
  }

  /** Those with an address, in no order that means anything. */
  withAddress(): PeerRecord[] {
    return [...this.#peers.values()].filter(({ addresses }) => addresses.length > 0)
  }

  /** Those that are held out now, who is let in last first. */
  held(): (PeerRecord & { readonly hold: Hold })[] {
    return [...this.#peers.values()]
      .filter((record): record is PeerRecord & { hold: Hold } => this.holdOn(record.peerId) !== undefined)
      .sort((a, b) => b.hold.until - a.hold.until)
  }

  /** Why the peer is held out; undefined: it is not. */
  holdOn(peerId: string): Hold | undefined {
    const hold = this.#peers.get(peerId)?.hold
    return hold !== undefined && hold.until > this.#now() ? hold : undefined
  }

  /** A session with the peer is open. @param reached at an address that we dialled */
  met(peerId: string, addresses: readonly string[], reached: boolean): void {
    const known = this.#peers.get(peerId)
    const all = [...new Set([...addresses, ...(known?.addresses ?? [])])].slice(0, MAX_ADDRESSES)
    const record = { ...known, peerId, addresses: all, seenAt: this.#now() }
    this.#set(reached || known?.reached === true ? { ...record, reached: true } : record)
    const [first] = addresses
    if (known === undefined && !reached && first !== undefined) this.#thinOut(first)
  }

  /** A session with the peer is open still, or was until now: one that lasts for months is of those who are met. */
  stillThere(peerId: string): void {
    const known = this.#peers.get(peerId)
    if (known === undefined || this.#now() - known.seenAt < STILL_THERE_MS) return
    this.#set({ ...known, seenAt: this.#now() })
  }

  /** A longer hold that there is stays. */
  hold(peerId: string, hold: Hold): void {
    const known = this.#peers.get(peerId)
    if ((this.holdOn(peerId)?.until ?? 0) > hold.until) return
    this.#set({ addresses: [], seenAt: 0, ...known, peerId, hold })
  }

  /** @returns whether it was held */
  release(peerId: string): boolean {
    const known = this.#peers.get(peerId)
    if (known === undefined || this.holdOn(peerId) === undefined) return false
    this.#set({ ...known, hold: undefined })
    return true
  }

  #set(record: PeerRecord): void {
    this.#peers.delete(record.peerId)
    this.#peers.set(record.peerId, record)
    this.#records.save(record)
    if (this.#peers.size > MAX_PEERS) this.#evict()
  }

  /** Lets go of the oldest peer that came from this address' host, if there are many of them. */
  #thinOut(address: string): void {
    const host = hostOf(address)
    const same = [...this.#peers.values()].filter(
      ({ addresses: [first], reached, hold }) => first !== undefined && hostOf(first) === host && !reached && !hold
    )
    if (same.length > MAX_OF_ONE_HOST) this.#remove(same)
  }

  #evict(): void {
    this.#remove([...this.#peers.values()])
  }

  /** Removes the one of least use. */
  #remove(records: readonly PeerRecord[]): void {
    const least = records.reduce((a, b) => (this.#use(b) < this.#use(a) ? b : a))
    this.#peers.delete(least.peerId)
    this.#records.remove(least.peerId)
  }

  /** A ban is of use until it ends; peers, by when they were met and how. */
  #use({ peerId, seenAt, reached }: PeerRecord): number {
    const hold = this.holdOn(peerId)
    if (hold?.verdict === 'ban') return hold.until
    return Math.max(seenAt, hold?.since ?? 0) + (reached === true ? REACHED_BONUS_MS : 0)
  }

  #isWorthKeeping({ seenAt, hold }: PeerRecord): boolean {
    const now = this.#now()
    return seenAt > now - FORGET_MS || (hold !== undefined && hold.until > now)
  }
}

/** `/ip4/1.2.3.4/tcp/…` → `ip4/1.2.3.4` */
function hostOf(address: string): string {
  return address.split('/').slice(1, 3).join('/')
}
