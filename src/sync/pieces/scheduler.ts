import type { PeerFailure, RequestEnd } from '../events.ts'
import { PeerBook, type SourcePeer } from '../peers.ts'
import {
  BARRED_MS,
  DEFAULT_RETRY_AFTER_MS,
  FAILED_RANGE_MS,
  MAX_RETRY_AFTER_MS,
  rangePause
} from '../policy/backoff.ts'
import { choosePeer } from '../policy/choose-peer.ts'
import { lags, MAX_COPIES } from '../policy/second-copy.ts'
import type { PieceAction, PieceEvent } from './events.ts'

export interface PieceSchedulerOptions {
  /** Pieces are 0 … count − 1; lower ones are asked for first. */
  readonly count: number
  /** Whether a piece is on disk from an earlier run. */
  readonly has: (piece: number) => boolean
  readonly requestsPerPeer: number
  /** Requests that are out at once: each holds a frame or two, so this is the bound on memory. */
  readonly maxRequests: number
  /** Uniform in [0, 1). */
  readonly random: () => number
}

interface Out {
  readonly piece: number
  readonly peer: string
  readonly since: number
  heardAt: number
  bytes: number
}

interface FailedPiece {
  readonly peer: string
  readonly at: number
  readonly attempts: number
}

const MISSING = 0
const DONE = 1

/**
 * The pure core of downloads whose pieces can each be checked alone, in any order, from any peer: chunks of a snapshot,
 * and history below it, whose block hashes are known. Events with their times go in, actions come out; it has no clock,
 * no I/O and no randomness of its own.
 *
 * It keeps these promises (test/sync/pieces/scheduler.property.test.ts): a piece that is on disk is not asked for again;
 * a piece is out at two peers at most, and at one while others are missing; a peer that sent a bad piece is asked for
 * nothing more; as long as one honest peer has a piece, it is asked for it again and again.
 */
export class PieceScheduler {
  readonly peers = new PeerBook()
  readonly #options: PieceSchedulerOptions
  readonly #state: Uint8Array
  readonly #out = new Map<number, Out>()
  readonly #failed = new Map<number, FailedPiece>()
  /** All below are done. */
  #front = 0
  #left: number
  #requests = 0
  #running = false
  /** Wire bytes of the pieces that came whole, and how many. */
  #weight = { bytes: 0, pieces: 0 }
  #actions: PieceAction[] = []

  constructor(options: PieceSchedulerOptions) {
    this.#options = options
    this.#state = new Uint8Array(options.count)
    this.#left = options.count
    for (let piece = 0; piece < options.count; piece++) if (options.has(piece)) this.#done(piece)
  }

  /** Pieces that are not on disk. */
  get left(): number {
    return this.#left
  }

  /** The lowest of them. */
  get front(): number {
    return this.#front
  }

  /** What is out, for people. */
  get out(): readonly Readonly<Out>[] {
    return [...this.#out.values()]
  }

  handle(event: PieceEvent, at: number): PieceAction[] {
    this.#apply(event, at)
    if (this.#running && this.#left > 0) this.#assign(at)
    const actions = this.#actions
    this.#actions = []
    return actions
  }

  #apply(event: PieceEvent, at: number): void {
    switch (event.type) {
      case 'start':
        this.#running = true
        break
      case 'stop':
        this.#running = false
        for (const request of [...this.#out.keys()]) this.#cancel(request, at)
        break
      case 'peer':
        this.peers.set(event.peer, event.to, event.from)
        break
      case 'left':
        for (const [request, { peer }] of [...this.#out]) if (peer === event.peer) this.#cancel(request, at)
        this.peers.remove(event.peer)
        break
      case 'pardon':
        this.peers.find(event.peer)?.pardoned()
        break
      case 'received':
        this.#received(event.request, event.bytes, at)
        break
      case 'stored':
        this.#stored(event.request, event.piece, at)
        break
      case 'ended':
        this.#ended(event.request, event.end, at)
        break
      case 'fault':
        this.#fault(event.peer, event.failure, at)
        break
      case 'tick':
        break
    }
  }

  #received(request: number, bytes: number, at: number): void {
    const out = this.#out.get(request)
    if (out === undefined) return
    out.bytes += bytes
    out.heardAt = at
    this.peers.find(out.peer)?.got(bytes)
  }

  #stored(request: number, piece: number, at: number): void {
    const out = this.#close(request, at)
    if (out !== undefined) {
      this.peers.find(out.peer)?.answeredInFull()
      this.#weight = { bytes: this.#weight.bytes + out.bytes, pieces: this.#weight.pieces + 1 }
    }
    this.#failed.delete(piece)
    this.#done(piece)
    for (const [other, copy] of [...this.#out]) if (copy.piece === piece) this.#cancel(other, at)
  }

  #ended(request: number, end: RequestEnd, at: number): void {
    const out = this.#close(request, at)
    if (out === undefined) return
    const { peer: id, piece, bytes } = out
    const peer = this.peers.find(id)
    if (end.kind === 'complete' && bytes > 0) {
      peer?.answeredShort(bytes)
      return
    }
    if (end.kind === 'limited') {
      peer?.limited(at, Math.min(MAX_RETRY_AFTER_MS, end.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS))
      return
    }
    const attempts = (this.#failed.get(piece)?.attempts ?? 0) + 1
    this.#failed.set(piece, { peer: id, at, attempts })
    if (end.kind === 'fault') {
      this.#fault(id, end.failure, at)
      return
    }
    const code = end.kind === 'complete' ? 'EMPTY_ANSWER' : end.code
    peer?.failed(at, code)
    if (end.kind !== 'failed') return
    const failure = { code, message: `no whole answer for piece ${piece}: ${code}`, height: piece }
    this.#act({ type: 'failed', peer: id, failure })
  }

  #fault(id: string, failure: PeerFailure, at: number): void {
    this.#bar(id, at, failure.code)
    this.#act({ type: 'penalise', peer: id, failure })
  }

  #bar(id: string, at: number, code: string): void {
    const peer = this.peers.find(id)
    if (peer !== undefined) {
      peer.barredUntil = at + BARRED_MS
      peer.lastFailure = code
    }
    for (const [request, out] of [...this.#out]) if (out.peer === id) this.#cancel(request, at)
  }

  #assign(at: number): void {
    const { maxRequests } = this.#options
    const copies = new Map<number, number>()
    for (const { piece } of this.#out.values()) copies.set(piece, (copies.get(piece) ?? 0) + 1)
    let missing = false
    for (let piece = this.#front; piece < this.#state.length && this.#out.size < maxRequests; piece++) {
      if (this.#state[piece] === DONE || copies.has(piece)) continue
      missing = true
      // Nobody has room for any: a higher piece would find nobody either.
      if (![...this.peers].some((peer) => this.#canServe(peer, at))) return
      const peer = choosePeer(this.#candidates(piece, at), this.#options.random)
      if (peer !== undefined) this.#request(piece, peer, at)
    }
    if (!missing) this.#copyLagging(copies, at)
  }

  /** At the end, what one peer is slow with another is asked for too. */
  #copyLagging(copies: ReadonlyMap<number, number>, at: number): void {
    const bytes = this.#weight.bytes / Math.max(1, this.#weight.pieces)
    for (const [, out] of [...this.#out]) {
      if (this.#out.size >= this.#options.maxRequests) return
      if ((copies.get(out.piece) ?? 0) >= MAX_COPIES) continue
      const others = this.#candidates(out.piece, at).filter(({ id }) => id !== out.peer)
      const peer = choosePeer(others, this.#options.random)
      if (peer !== undefined && lags(out, bytes, peer.rate, at)) this.#request(out.piece, peer, at)
    }
  }

  #canServe(peer: SourcePeer, at: number): boolean {
    return peer.canServe(at, this.#options.requestsPerPeer)
  }

  #candidates(piece: number, at: number): SourcePeer[] {
    const holders = [...this.peers].filter((peer) => peer.holds(piece) && !peer.barred(at))
    const able = holders.filter((peer) => this.#canServe(peer, at))
    const failed = this.#failed.get(piece)
    if (failed === undefined) return able
    // Never the same peer right after it failed: another holder comes first, and if there is none, a pause.
    const alone = holders.every(({ id }) => id === failed.peer)
    const until = failed.at + (alone ? rangePause(failed.attempts) : FAILED_RANGE_MS)
    return at >= until ? able : able.filter(({ id }) => id !== failed.peer)
  }

  #request(piece: number, peer: SourcePeer, at: number): void {
    const request = this.#requests++
    this.#out.set(request, { piece, peer: peer.id, since: at, heardAt: at, bytes: 0 })
    peer.began(at)
    this.#act({ type: 'fetch', request, peer: peer.id, piece })
  }

  #cancel(request: number, at: number): void {
    if (this.#close(request, at) !== undefined) this.#act({ type: 'cancel', request })
  }

  #close(request: number, at: number): Out | undefined {
    const out = this.#out.get(request)
    if (out === undefined) return undefined
    this.#out.delete(request)
    this.peers.find(out.peer)?.ended(at)
    return out
  }

  #done(piece: number): void {
    if (this.#state[piece] !== MISSING) return
    this.#state[piece] = DONE
    this.#left--
    while (this.#front < this.#state.length && this.#state[this.#front] === DONE) this.#front++
  }

  #act(action: PieceAction): void {
    this.#actions.push(action)
  }
}
