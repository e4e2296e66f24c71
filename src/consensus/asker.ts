/** Asks a few peers for votes when some may be missing (GetVotes, protocol §8), seldom enough for them to bear it. */
import type { GetVotes, RawVotes } from '../codec/generated/sync.ts'
import { hasCode, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { Clock, VotePeersPort } from './ports.ts'
import { Timers } from './timers.ts'

/** Asked at once: one of them may be behind, one may be lying. */
const PEERS_ASKED = 3
/** Between two times of asking, whatever the reasons: they come in bursts. */
const MIN_GAP_MS = 250
/** A peer that answers later is not waited for. */
const ANSWER_TIMEOUT_MS = 5000

export interface AskerPorts {
  readonly peers: Omit<VotePeersPort, 'standing'>
  readonly clock: Clock
  readonly log: Log
  /** What is missing now; undefined: nothing is asked. */
  readonly request: () => GetVotes | undefined
  /** Resolves when the answer has been looked through: whether it brought us to another height. */
  readonly take: (peer: string, request: GetVotes, answer: RawVotes) => Promise<boolean>
}

export class Asker {
  readonly #ports: AskerPorts
  readonly #timers: Timers
  readonly #inFlight = new Map<string, AbortController>()
  #due = Number.POSITIVE_INFINITY
  #lastAsked = Number.NEGATIVE_INFINITY
  /** So that each time others are asked first. */
  #turn = 0

  constructor(ports: AskerPorts) {
    this.#ports = ports
    this.#timers = new Timers(ports.clock)
  }

  /** Asks after `delayMs`, or when it was going to anyway if that is sooner. */
  ask(delayMs = 0): void {
    const now = this.#ports.clock.monotonic()
    const due = Math.max(now + delayMs, this.#lastAsked + MIN_GAP_MS)
    if (due >= this.#due) return
    this.#due = due
    this.#timers.set('ask', due - now, () => this.#askSome())
  }

  /** Asks one peer now, such as one that has just come. */
  askPeer(peer: string): void {
    const request = this.#ports.request()
    if (request !== undefined && !this.#inFlight.has(peer)) void this.#askOne(peer, request)
  }

  /** Nothing is asked, and nothing that was asked is taken, until `ask` is called again. */
  stop(): void {
    this.#timers.clearAll()
    this.#due = Number.POSITIVE_INFINITY
    for (const controller of this.#inFlight.values()) controller.abort()
    this.#inFlight.clear()
  }

  #askSome(): void {
    this.#due = Number.POSITIVE_INFINITY
    const request = this.#ports.request()
    if (request === undefined) return
    this.#lastAsked = this.#ports.clock.monotonic()
    const idle = this.#ports.peers.peers().filter((peer) => !this.#inFlight.has(peer))
    idle.sort()
    const first = this.#turn++
    for (let i = 0; i < Math.min(PEERS_ASKED, idle.length); i++) {
      void this.#askOne(idle[(first + i) % idle.length] as string, request)
    }
  }

  async #askOne(peer: string, request: GetVotes): Promise<void> {
    const { peers, log, take, clock } = this.#ports
    let again = false
    const controller = new AbortController()
    this.#inFlight.set(peer, controller)
    const cancel = clock.after(ANSWER_TIMEOUT_MS, () => controller.abort())
    try {
      const answer = await peers.getVotes(peer, request, { signal: controller.signal })
      if (!controller.signal.aborted) again = await take(peer, request, answer)
    } catch (error) {
      const code = hasCode(error, 'RATE_LIMITED') ? error.code : undefined
      log.debug({ peer, code, reason: messageOf(error) }, 'a peer gave no votes')
    } finally {
      cancel()
      if (this.#inFlight.get(peer) === controller) this.#inFlight.delete(peer)
    }
    // Who was a height ahead may be more: up to its tip we go as fast as it answers.
    if (again) this.askPeer(peer)
  }
}
