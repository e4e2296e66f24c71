import type { PeerFailure, RequestEnd, SchedulerAction } from './events.ts'
import type { PeerBook, SourcePeer } from './peers.ts'
import { BARRED_MS, DEFAULT_RETRY_AFTER_MS, MAX_RETRY_AFTER_MS } from './policy/backoff.ts'
import type { BlockWeight } from './policy/weight.ts'
import type { Range } from './range.ts'
import type { Window } from './window.ts'

/** The part of the scheduler that keeps account of open requests: what they bring, how they end, whose fault it was. */
export class Requests {
  readonly #window: Window
  readonly #peers: PeerBook
  readonly #weight: BlockWeight
  readonly #act: (action: SchedulerAction) => void
  #ids = 0

  constructor(window: Window, peers: PeerBook, weight: BlockWeight, act: (action: SchedulerAction) => void) {
    this.#window = window
    this.#peers = peers
    this.#weight = weight
    this.#act = act
  }

  open(range: Range, peer: SourcePeer, reserved: number, at: number): void {
    const request = this.#ids++
    range.request(request, peer.id, reserved, at)
    peer.began(at)
    this.#act({ type: 'request', request, peer: peer.id, start: range.start, count: range.count })
  }

  received(request: number, blocks: number, bytes: number, at: number): void {
    const range = this.#window.findRequest(request)
    if (range === undefined) return
    const copy = range.copy(request)
    this.#peers.find(copy.peer)?.got(bytes)
    const more = range.count - copy.blocks - blocks
    const needed = this.#window.roomFor(copy.blocks + blocks, copy.bytes + bytes, more)
    const fits = needed <= copy.reserved || needed - copy.reserved <= this.#window.available(range)
    range.received(request, blocks, bytes, fits ? Math.max(copy.reserved, needed) : copy.reserved, at)
    if (fits) return
    // No room for its next frame: our own bound, so nobody is to blame, and what came is kept.
    this.#act({ type: 'stop', request })
    this.#account(range, request, at)
    this.#keep(range, request, at, false)
  }

  ended(request: number, end: RequestEnd, at: number): void {
    const range = this.#window.findRequest(request)
    if (range === undefined) return
    const { peer: id, blocks, bytes } = range.copy(request)
    const peer = this.#account(range, request, at)
    if (end.kind === 'fault') {
      this.#act({ type: 'drop', request })
      range.fail(request, at, true)
      this.bar(id, end.failure, at)
      return
    }
    if (blocks === range.count) peer?.answeredInFull()
    else if (end.kind === 'limited') {
      peer?.limited(at, Math.min(MAX_RETRY_AFTER_MS, end.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS))
    } else if (end.kind === 'complete' && blocks > 0) peer?.answeredShort(bytes)
    else {
      const code = end.kind === 'complete' ? 'EMPTY_ANSWER' : end.code
      peer?.failed(at, code)
      const message = `no whole answer for ${this.#window.kind.noun}s ${range.start} to ${range.end}: ${code}`
      if (end.kind === 'failed')
        this.#act({ type: 'failed', peer: id, failure: { code, message, height: range.start + blocks } })
    }
    this.#keep(range, request, at, end.kind !== 'limited')
  }

  /** A peer that leaves gives its ranges back at once; whole blocks that it sent are kept. */
  left(id: string, at: number): void {
    for (const { range, request } of this.#openAt(id)) {
      this.#act({ type: 'stop', request })
      this.#account(range, request, at)
      this.#keep(range, request, at, true)
    }
    this.#peers.remove(id)
  }

  /** A peer that provably lied: it is asked for nothing, and nothing of it that is not checked yet is worth checking. */
  bar(id: string, failure: PeerFailure, at: number): void {
    this.#act({ type: 'penalise', peer: id, failure })
    const peer = this.#peers.find(id)
    if (peer !== undefined) {
      peer.barredUntil = at + BARRED_MS
      peer.lastFailure = failure.code
    }
    for (const { range, request } of this.#openAt(id)) {
      this.#account(range, request, at)
      this.#act({ type: 'drop', request })
      range.fail(request, at, true)
    }
    for (const range of this.#window.ranges) {
      const state = range.state
      if (state.status !== 'AwaitingVerify' || state.peer !== id) continue
      this.#act({ type: 'drop', request: state.request })
      range.discard(at, true)
    }
  }

  /** Takes a range out in whatever state it is, but one that is being checked or written: that goes when it is done. */
  dropRange(range: Range, at: number): void {
    const state = range.state
    if (state.status === 'Verifying' || state.status === 'Committing') return
    if (state.status === 'Downloading') {
      for (const { request } of state.copies) {
        this.#account(range, request, at)
        this.#act({ type: 'drop', request })
      }
    } else if (state.status === 'AwaitingVerify') this.#act({ type: 'drop', request: state.request })
    else if (state.status === 'AwaitingCommit') this.#act({ type: 'forget', range: range.id })
    this.#window.remove(range)
  }

  /** The books after a request ended: the peer's rate, the weight of blocks. */
  #account(range: Range, request: number, at: number): SourcePeer | undefined {
    const copy = range.copy(request)
    if (copy.blocks > 0) this.#weight.add(copy.blocks, copy.bytes)
    const peer = this.#peers.find(copy.peer)
    peer?.ended(at)
    return peer
  }

  /**
   * Goes on with what an ended request brought, all or a prefix, unless another copy of the range has brought as much.
   * `blame`: what it did not bring is not asked of the same peer right after.
   */
  #keep(range: Range, request: number, at: number, blame: boolean): void {
    const state = range.state
    if (state.status !== 'Downloading') return
    const { blocks, peer } = range.copy(request)
    const best = state.copies.every((other) => other.request === request || other.blocks < blocks)
    if (blocks === 0 || (blocks < range.count && !best)) {
      this.#act({ type: 'drop', request })
      range.fail(request, at, blame)
      return
    }
    if (blocks < range.count) {
      const rest = this.#window.cut(range, blocks)
      if (blame) rest.blame(peer, at)
    }
    for (const other of range.complete(request)) {
      this.#peers.find(other.peer)?.ended(at)
      this.#act({ type: 'drop', request: other.request })
    }
  }

  /** Requests that are out at a peer. */
  #openAt(id: string): { range: Range; request: number }[] {
    return this.#window.ranges.flatMap((range) => {
      const state = range.state
      if (state.status !== 'Downloading') return []
      return state.copies.filter((copy) => copy.peer === id).map((copy) => ({ range, request: copy.request }))
    })
  }
}
