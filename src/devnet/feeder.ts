import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { type CheckedEvent, signEvent } from '../chain/event.ts'
import { risingTime } from '../chain/rising-time.ts'
import { type KeyPair, keyPairFromSeed } from '../crypto/ed25519.ts'
import { MolochError, messageOf } from '../error.ts'
import type { ApiClient } from './api-client.ts'
import type { EventInput } from './event-input.ts'
import { Latencies } from './latency.ts'
import { keySeed } from './spec.ts'
import { type Refusal, submitBatch } from './submit.ts'
import { Tokens } from './tokens.ts'

export interface FeederOptions {
  readonly events: AsyncIterator<EventInput>
  /** Events a second. */
  readonly rate: number
  readonly genesisHash: Uint8Array
  /** Of the actors' keys. */
  readonly seed: number
  /** The nodes that take events, in turn. */
  readonly targets: readonly ApiClient[]
  /** Events that may be on the way to finality at once; when the chain stands still, so does the feed. */
  readonly mostOpen?: number
  /** Told once for each kind of refusal. */
  readonly onRefused?: (refusal: Refusal) => void
  /** Where it counts, with other feeds of the same kind. */
  readonly latencies?: Latencies
}

export interface FeedStats {
  readonly submitted: number
  readonly finalized: number
  /** Refused for good: the chain would not take them later either. */
  readonly refused: number
  readonly p50: number | undefined
  readonly p99: number | undefined
}

const TICK_MS = 100
/** Events of one request: the API takes at most 1000. */
const BATCH = 500
/** The default of `mostOpen`: this many seconds' worth, and at least so many. */
const OPEN_SECONDS = 10
const MIN_OPEN = 1000
const BACK_OFF_MS = { first: 500, longest: 8000 }

interface Target {
  readonly api: ApiClient
  backOffMs: number
  notBefore: number
}

interface Signed {
  readonly event: CheckedEvent
  /** When it was first submitted. */
  readonly since: number
}

/**
 * Signs events and submits them to the nodes in turn, at a steady rate. What a node refuses for now (its mempool is
 * full, it does not answer) goes to another one or waits; each request stays open until its events are final, which is
 * what is timed.
 */
export class Feeder {
  readonly latencies: Latencies
  /** What the source of the events threw, after which nothing is fed. */
  failure: unknown
  readonly #options: FeederOptions
  readonly #targets: Target[]
  readonly #signers = new Map<string, { key: KeyPair; time: () => number }>()
  readonly #tokens: Tokens
  readonly #abort = new AbortController()
  readonly #requests = new Set<Promise<void>>()
  readonly #refusalsTold = new Set<string>()
  /** Signed, refused for now, to be submitted again. */
  #again: Signed[] = []
  #outstanding = 0
  #submitted = 0
  #finalized = 0
  #refused = 0
  #turn = 0
  #exhausted = false
  #loop: Promise<void> | undefined

  constructor(options: FeederOptions) {
    this.#options = options
    this.latencies = options.latencies ?? new Latencies()
    // Every open request listens.
    setMaxListeners(0, this.#abort.signal)
    this.#tokens = new Tokens(options.rate, performance.now())
    this.#targets = options.targets.map((api) => ({ api, backOffMs: 0, notBefore: 0 }))
  }

  start(): void {
    this.#loop ??= this.#run().catch((error: unknown) => {
      this.failure = error
    })
  }

  /** Submits nothing more and lets open requests go. */
  async stop(): Promise<void> {
    this.#abort.abort()
    await this.#loop
    await Promise.all(this.#requests)
  }

  stats(): FeedStats {
    return {
      submitted: this.#submitted,
      finalized: this.#finalized,
      refused: this.#refused,
      p50: this.latencies.percentile(0.5),
      p99: this.latencies.percentile(0.99)
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort
    const room = this.#options.mostOpen ?? Math.max(MIN_OPEN, this.#options.rate * OPEN_SECONDS)
    while (!signal.aborted) {
      const target = this.#nextTarget()
      const wanted = target === undefined ? 0 : Math.min(BATCH, room - this.#outstanding)
      const batch = await this.#take(wanted)
      if (target !== undefined && batch.length > 0) this.#submit(target, batch)
      // At a high rate several batches go out in one tick.
      if (batch.length < BATCH) await delay(TICK_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  /** At most `wanted` events, those that were refused before first. */
  async #take(wanted: number): Promise<Signed[]> {
    const batch = this.#again.splice(0, Math.max(0, wanted))
    const fresh = this.#exhausted ? 0 : this.#tokens.take(performance.now(), wanted - batch.length)
    for (let i = 0; i < fresh; i++) {
      const next = await this.#options.events.next()
      if (next.done) {
        this.#exhausted = true
        break
      }
      batch.push({ event: this.#sign(next.value), since: performance.now() })
      this.#submitted++
    }
    return batch
  }

  #sign({ actor, fields }: EventInput): CheckedEvent {
    let signer = this.#signers.get(actor)
    if (signer === undefined) {
      signer = { key: keyPairFromSeed(keySeed(this.#options.seed, 'actor', actor)), time: risingTime(Date.now) }
      this.#signers.set(actor, signer)
    }
    return signEvent(this.#options.genesisHash, signer.key, { ...fields, timestamp: signer.time() })
  }

  #nextTarget(): Target | undefined {
    const now = performance.now()
    for (let i = 0; i < this.#targets.length; i++) {
      const target = this.#targets[this.#turn++ % this.#targets.length]
      if (target !== undefined && target.notBefore <= now) return target
    }
    return undefined
  }

  #submit(target: Target, batch: readonly Signed[]): void {
    this.#outstanding += batch.length
    const request = this.#send(target, batch).finally(() => {
      this.#outstanding -= batch.length
      this.#requests.delete(request)
    })
    this.#requests.add(request)
  }

  async #send(target: Target, batch: readonly Signed[]): Promise<void> {
    try {
      const outcomes = await submitBatch(
        target.api,
        batch.map(({ event }) => event),
        this.#abort.signal
      )
      const now = performance.now()
      let later = 0
      for (const [i, outcome] of outcomes.entries()) {
        const signed = batch[i] as Signed
        if (outcome === 'finalized') {
          this.#finalized++
          this.latencies.add(now - signed.since)
        } else if (outcome === 'pending') {
          // It is there, but the node's longest wait is over: submitted again, it only waits on.
          this.#again.push(signed)
        } else if (outcome === 'later') {
          later++
          this.#again.push(signed)
        } else {
          this.#refused++
          this.#tell(outcome)
        }
      }
      if (later > 0) this.#backOff(target)
      else target.backOffMs = 0
    } catch (error) {
      if (this.#abort.signal.aborted) return
      if (!(error instanceof MolochError)) throw error
      // Nobody knows which of them it took: submitting the same bytes again changes nothing.
      this.#again.push(...batch)
      this.#backOff(target)
      this.#tell({ code: error.code, message: messageOf(error) })
    }
  }

  #backOff(target: Target): void {
    target.backOffMs = Math.min(BACK_OFF_MS.longest, target.backOffMs * 2 || BACK_OFF_MS.first)
    target.notBefore = performance.now() + target.backOffMs
  }

  #tell(refusal: Refusal): void {
    if (this.#refusalsTold.has(refusal.code)) return
    this.#refusalsTold.add(refusal.code)
    this.#options.onRefused?.(refusal)
  }
}
