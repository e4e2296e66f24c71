import { assign, holdersOf } from './assign.ts'
import type { PeerFailure, SchedulerAction, SchedulerEvent } from './events.ts'
import { PeerBook, type SourcePeer } from './peers.ts'
import { BLOCKS, type RangeKind } from './policy/kind.ts'
import { BlockWeight } from './policy/weight.ts'
import type { Range } from './range.ts'
import { Requests } from './requests.ts'
import { Window } from './window.ts'

/** Bytes that sync may hold ahead of the ledger, in every state: a bound on memory whatever peers send. */
export const DEFAULT_LOOK_AHEAD_BYTES = 64 * 1024 * 1024
/** Requests that are out at one peer: one on the way while the next is being read at its end. Peers grant no more. */
export const REQUESTS_PER_PEER = 2
/** Ranges at the checker at once: enough to keep its workers busy, few enough that the lowest is not kept waiting. */
export const VERIFYING_RANGES = 4
/** A ledger that could not write is tried again after this. */
const COMMIT_RETRY_MS = 1_000

export interface SchedulerOptions {
  readonly tip: number
  /** Bytes of one frame at most (protocol §9). */
  readonly frameBytes: number
  readonly lookAheadBytes?: number
  readonly requestsPerPeer?: number
  readonly verifyingRanges?: number
  /** What is synced; default blocks. */
  readonly kind?: RangeKind
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/**
 * The pure core of range sync: events with their times go in, actions come out. It has no clock, no I/O and no
 * randomness of its own, and it holds no block, only what blocks weigh.
 *
 * It keeps these promises (test/sync/scheduler.property.test.ts): the byte bound holds at every step; a height is asked
 * of at most two peers at a time; ranges are committed in order; the lowest height that a peer may be asked for goes
 * first; as long as one honest peer holds the next height, it is asked for it again and again.
 */
export class Scheduler {
  readonly kind: RangeKind
  readonly peers = new PeerBook()
  readonly #window: Window
  readonly #weight = new BlockWeight()
  readonly #requests: Requests
  readonly #requestsPerPeer: number
  readonly #verifyingRanges: number
  readonly #random: () => number
  #tip: number
  #target: number
  #running = false
  #commitNotBefore = 0
  #actions: SchedulerAction[] = []

  constructor(options: SchedulerOptions) {
    this.#tip = options.tip
    this.#target = options.tip
    this.#requestsPerPeer = options.requestsPerPeer ?? REQUESTS_PER_PEER
    this.#verifyingRanges = options.verifyingRanges ?? VERIFYING_RANGES
    this.#random = options.random
    this.kind = options.kind ?? BLOCKS
    const lookAheadBytes = options.lookAheadBytes ?? DEFAULT_LOOK_AHEAD_BYTES
    this.#window = new Window(options.tip + 1, lookAheadBytes, options.frameBytes, this.kind)
    this.#requests = new Requests(this.#window, this.peers, this.#weight, (action) => this.#act(action))
  }

  get tip(): number {
    return this.#tip
  }

  /** The highest certified height. */
  get target(): number {
    return this.#target
  }

  get running(): boolean {
    return this.#running
  }

  /** A write is under way. */
  get writing(): boolean {
    return this.#committing().length > 0
  }

  get held(): number {
    return this.#window.held
  }

  /** What `held` never exceeds. */
  get bound(): number {
    return this.#window.bound
  }

  get ranges(): readonly Range[] {
    return this.#window.ranges
  }

  /** Peers that hold `height`, barred ones left out. */
  holders(height: number, at: number): SourcePeer[] {
    return holdersOf(this.peers, height, this.#tip, at)
  }

  handle(event: SchedulerEvent, at: number): SchedulerAction[] {
    this.#apply(event, at)
    if (this.#running) this.#schedule(at)
    for (const range of this.#window.ranges) range.look(at)
    const actions = this.#actions
    this.#actions = []
    return actions
  }

  #apply(event: SchedulerEvent, at: number): void {
    switch (event.type) {
      case 'start':
        this.#running = true
        break
      case 'stop':
        this.#stop(at)
        break
      case 'peer':
        this.peers.set(event.peer, event.height, event.earliest)
        this.#aim(event.height)
        break
      case 'left':
        this.#requests.left(event.peer, at)
        break
      case 'pardon':
        this.peers.find(event.peer)?.pardoned()
        break
      case 'target':
        this.#aim(event.height)
        break
      case 'tip':
        this.#tip = Math.max(this.#tip, event.height)
        this.#aim(event.height)
        break
      case 'received':
        this.#requests.received(event.request, event.blocks, event.bytes, at)
        break
      case 'ended':
        this.#requests.ended(event.request, event.end, at)
        break
      case 'verified':
        this.#verified(event, at)
        break
      case 'verify-failed':
        this.#window.find(event.range)?.discard(at, false)
        break
      case 'committed':
        this.#committed(event.applied, event.failure, at)
        break
      case 'commit-failed':
        this.#commitNotBefore = at + COMMIT_RETRY_MS
        for (const range of this.#committing()) range.retryCommit()
        break
      case 'tick':
        break
    }
  }

  #aim(height: number): void {
    if (height > this.#target) this.#target = height
  }

  #schedule(at: number): void {
    this.#trim(at)
    let verifying = 0
    for (const range of this.#window.ranges) if (range.status === 'Verifying') verifying++
    for (const range of this.#window.ranges) {
      if (verifying >= this.#verifyingRanges) break
      const state = range.state
      if (state.status !== 'AwaitingVerify') continue
      range.verify()
      verifying++
      this.#act({ type: 'verify', range: range.id, request: state.request, start: range.start, count: range.count })
    }
    if (at >= this.#commitNotBefore) this.#commit()
    assign({
      window: this.#window,
      peers: this.peers,
      weight: this.#weight,
      tip: this.#tip,
      target: this.#target,
      requestsPerPeer: this.#requestsPerPeer,
      random: this.#random,
      at,
      request: (range, peer, reserved) => this.#requests.open(range, peer, reserved, at)
    })
  }

  #verified(event: Extract<SchedulerEvent, { type: 'verified' }>, at: number): void {
    const range = this.#window.find(event.range)
    const state = range?.state
    if (range === undefined || state?.status !== 'Verifying') {
      this.#act({ type: 'forget', range: event.range })
      return
    }
    if (event.failure === undefined) range.verified()
    else if (event.good === 0) {
      this.#act({ type: 'forget', range: range.id })
      range.discard(at, true)
    } else {
      this.#window.cut(range, event.good).blame(state.peer, at)
      range.weigh(event.goodBytes)
      range.verified()
    }
    if (event.failure !== undefined) this.#requests.bar(state.peer, event.failure, at)
  }

  /** One write at a time, of the front and of as many after it as fill a write: small ranges share an fsync. */
  #commit(): void {
    const ranges: { range: number; peer: string }[] = []
    let blocks = 0
    for (const range of this.#window.ranges) {
      const state = range.state
      if (state.status !== 'AwaitingCommit') break
      if (blocks > 0 && blocks + range.count > this.kind.write) break
      range.commit()
      blocks += range.count
      ranges.push({ range: range.id, peer: state.peer })
    }
    if (ranges.length > 0) this.#act({ type: 'commit', ranges })
  }

  #committing(): Range[] {
    return this.#window.ranges.filter((range) => range.status === 'Committing')
  }

  /** The ledger took `applied` blocks of what is committing; whoever sent the next one answers for `failure`. */
  #committed(applied: number, failure: PeerFailure | undefined, at: number): void {
    let left = applied
    let blamed: string | undefined
    for (const range of this.#committing()) {
      const state = range.state
      if (state.status !== 'Committing') continue
      if (left < range.count) {
        if (failure === undefined || blamed !== undefined) {
          range.retryCommit()
          continue
        }
        blamed = state.peer
        if (left === 0) {
          this.#act({ type: 'forget', range: range.id })
          range.discard(at, true)
          continue
        }
        this.#window.cut(range, left).blame(blamed, at)
      }
      left -= range.count
      range.committed()
      this.#window.remove(range)
      this.#act({ type: 'forget', range: range.id })
      if (range.end > this.#tip) this.#tip = range.end
    }
    if (failure !== undefined && blamed !== undefined) this.#requests.bar(blamed, failure, at)
  }

  /** What is at or below the tip needs no work any more, whoever moved it there. */
  #trim(at: number): void {
    this.#window.skipTo(this.#tip)
    for (const range of [...this.#window.ranges]) {
      if (range.start > this.#tip) break
      if (range.end <= this.#tip) this.#requests.dropRange(range, at)
      else if (range.status === 'AwaitingDownload') {
        this.#window.cut(range, this.#tip - range.start + 1)
        this.#window.remove(range)
      }
    }
  }

  #stop(at: number): void {
    this.#running = false
    for (const range of [...this.#window.ranges]) this.#requests.dropRange(range, at)
    for (const range of this.#window.ranges) this.#act({ type: 'forget', range: range.id })
    this.#window.clear(this.#tip)
  }

  #act(action: SchedulerAction): void {
    this.#actions.push(action)
  }
}
