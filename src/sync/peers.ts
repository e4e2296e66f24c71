import { failurePause, LIMITED_MS } from './policy/backoff.ts'

/** Smoothing of measured bytes/s. */
const RATE_SMOOTHING = 0.3
/** Shorter samples say more about timers than about the peer; they are added to the next one. */
const MIN_SAMPLE_MS = 20
/** Peers that left and whose faults are remembered: a bound, or a flood of peer ids would grow it for ever. */
const MAX_REMEMBERED = 1024
/** A cut-short answer's size is forgotten by this factor with each full answer. */
const ANSWER_GROWTH = 1.5

/** A sync source, as the scheduler knows it. Heights are certified ones. */
export class SourcePeer {
  readonly id: string
  /** It holds `earliest` … `height`. */
  height = 0
  earliest = 0
  /** Requests that are out. */
  active = 0
  /** Measured bytes/s, over the time in which requests were out only: never over time it waited for us. */
  rate: number | undefined
  /** It has brought blocks before. */
  answered = false
  /** Failures in a row, and when it may be asked again. */
  failures = 0
  notBefore = 0
  barredUntil = 0
  limitedUntil = 0
  /** Wire bytes of its last cut-short answer: its own budget for one. */
  answerBytes: number | undefined
  lastFailure: string | undefined
  #busySince = 0
  #sampleBytes = 0
  #sampleMs = 0

  constructor(id: string) {
    this.id = id
  }

  /** Whether it says that it holds `height`. */
  holds(height: number): boolean {
    return this.earliest <= height && height <= this.height
  }

  /** One request until it has answered one: others may be about to join, and want their share. */
  canServe(at: number, requestsPerPeer: number): boolean {
    const slots = at < this.limitedUntil || !this.answered ? 1 : requestsPerPeer
    return this.active < slots && at >= this.notBefore && at >= this.barredUntil
  }

  barred(at: number): boolean {
    return at < this.barredUntil
  }

  began(at: number): void {
    if (this.active === 0) this.#busySince = at
    this.active++
  }

  got(bytes: number): void {
    this.#sampleBytes += bytes
  }

  ended(at: number): void {
    this.active--
    this.#sampleMs += at - this.#busySince
    this.#busySince = at
    if (this.#sampleMs < MIN_SAMPLE_MS) return
    const rate = (this.#sampleBytes / this.#sampleMs) * 1000
    this.rate = this.rate === undefined ? rate : this.rate + RATE_SMOOTHING * (rate - this.rate)
    this.#sampleBytes = 0
    this.#sampleMs = 0
  }

  answeredInFull(): void {
    this.answered = true
    this.failures = 0
    if (this.answerBytes !== undefined) this.answerBytes *= ANSWER_GROWTH
  }

  answeredShort(bytes: number): void {
    this.answered = true
    this.failures = 0
    this.answerBytes = bytes
  }

  failed(at: number, code: string): void {
    this.failures++
    this.lastFailure = code
    this.notBefore = Math.max(this.notBefore, at + failurePause(this.failures))
  }

  /** Its faults are forgotten. */
  pardoned(): void {
    this.failures = 0
    this.notBefore = 0
    this.barredUntil = 0
    this.lastFailure = undefined
  }

  /** It asked us to wait: no failure, but fewer requests at a time from now on. */
  limited(at: number, retryAfterMs: number): void {
    this.lastFailure = 'RATE_LIMITED'
    this.notBefore = Math.max(this.notBefore, at + retryAfterMs)
    this.limitedUntil = this.notBefore + LIMITED_MS
  }
}

/** The peers that may be asked. What a peer did wrong outlives its connection, or reconnecting would clear it. */
export class PeerBook {
  readonly #peers = new Map<string, SourcePeer>()
  readonly #left = new Map<string, SourcePeer>()

  get size(): number {
    return this.#peers.size
  }

  get(id: string): SourcePeer | undefined {
    return this.#peers.get(id)
  }

  /** A peer that is there or was: blame may come after it left. */
  find(id: string): SourcePeer | undefined {
    return this.#peers.get(id) ?? this.#left.get(id)
  }

  [Symbol.iterator](): IterableIterator<SourcePeer> {
    return this.#peers.values()
  }

  set(id: string, height: number, earliest: number): SourcePeer {
    let peer = this.#peers.get(id)
    if (peer === undefined) {
      peer = this.#left.get(id) ?? new SourcePeer(id)
      this.#left.delete(id)
      this.#peers.set(id, peer)
    }
    peer.height = height
    peer.earliest = earliest
    return peer
  }

  remove(id: string): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    this.#peers.delete(id)
    this.#left.set(id, peer)
    if (this.#left.size > MAX_REMEMBERED) {
      for (const oldest of this.#left.keys()) {
        this.#left.delete(oldest)
        break
      }
    }
  }
}
