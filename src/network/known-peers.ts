import type { Hold, PeerRecord, PeerStore } from '../store/peer-store.ts'

/** Peers and holds remembered at once: against floods of peer ids, in memory and on disk. */
const MAX_PEERS = 4096
/** Of one peer: an honest one has one or two. */
const MAX_ADDRESSES = 8
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

  /** A session with the peer is open. */
  met(peerId: string, addresses: readonly string[]): void {
    const known = this.#peers.get(peerId)
    const all = [...new Set([...addresses, ...(known?.addresses ?? [])])].slice(0, MAX_ADDRESSES)
    this.#set({ ...known, peerId, addresses: all, seenAt: this.#now() })
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

  /** The one of least use: the peer that was not met for longest, and of holds alone the one that ends first. */
  #evict(): void {
    let least: PeerRecord | undefined
    for (const record of this.#peers.values()) {
      if (least === undefined || this.#use(record) < this.#use(least)) least = record
    }
    if (least === undefined) return
    this.#peers.delete(least.peerId)
    this.#records.remove(least.peerId)
  }

  #use({ peerId, seenAt }: PeerRecord): number {
    return this.holdOn(peerId)?.until ?? seenAt
  }

  #isWorthKeeping({ seenAt, hold }: PeerRecord): boolean {
    const now = this.#now()
    return seenAt > now - FORGET_MS || (hold !== undefined && hold.until > now)
  }
}
