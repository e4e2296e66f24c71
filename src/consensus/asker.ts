/**
 * Asks a few peers for what a height lacks (GetVotes, protocol §8), seldom enough for them to bear it. When there is a
 * reason to is the machine's to say (asking.ts).
 */
import type { GetVotes, RawVotes } from '../codec/generated/sync.ts'
import { hasCode, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { Clock, VotePeersPort } from './ports.ts'
import { Timers } from './timers.ts'
import { Turns } from './turns.ts'

/** Asked at once: one of them may be behind, one may be lying. */
const PEERS_ASKED = 3
/** Of these, places for validators: however many others there are, what validators hold is asked for. */
const VALIDATORS_ASKED = 2
/** Between two times of asking, whatever the reasons: they come in bursts. */
const MIN_GAP_MS = 250
/** A peer that answers later is not waited for: a block over a slow line takes its time. */
const ANSWER_TIMEOUT_MS = 5000
/** A question may be lost, and the peer be the one that has what we lack: it is asked again beside it. */
const ASK_BESIDE_MS = 1000
const QUESTIONS_A_PEER = 2

export interface AskerPorts {
  readonly peers: VotePeersPort
  readonly clock: Clock
  readonly log: Log
  /**
   * What is missing now; undefined: nothing is asked.
   * @param block whether a missing block is to be asked for too
   */
  readonly request: (block: boolean) => GetVotes | undefined
  /** Resolves when the answer has been looked through: whether it brought us to another height. */
  readonly take: (peer: string, request: GetVotes, answer: RawVotes) => Promise<boolean>
}

interface Question {
  readonly peer: string
  /** Monotonic ms. */
  readonly at: number
  readonly forBlock: boolean
  readonly controller: AbortController
}

export class Asker {
  readonly #ports: AskerPorts
  readonly #timers: Timers
  readonly #questions = new Set<Question>()
  readonly #validators = new Turns()
  readonly #others = new Turns()
  #due = Number.POSITIVE_INFINITY
  #lastAsked = Number.NEGATIVE_INFINITY

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
    if (![...this.#questions].some((question) => question.peer === peer)) this.#question(peer)
  }

  /** Nothing is asked, and nothing that was asked is taken, until `ask` is called again. */
  stop(): void {
    this.#timers.clearAll()
    this.#due = Number.POSITIVE_INFINITY
    for (const { controller } of this.#questions) controller.abort()
    this.#questions.clear()
  }

  #askSome(): void {
    const { clock, peers } = this.#ports
    this.#due = Number.POSITIVE_INFINITY
    const all = peers.peers().filter((peer) => this.#mayAsk(peer))
    const isValidator = (peer: string): boolean => (peers.standing(peer)?.validator ?? -1) >= 0
    const validators = all.filter(isValidator)
    const others = all.filter((peer) => !isValidator(peer))
    const places = Math.max(VALIDATORS_ASKED, PEERS_ASKED - others.length)
    const first = this.#validators.next(validators, places)
    const chosen = [...first, ...this.#others.next(others, PEERS_ASKED - first.length)]
    const asked = chosen.filter((peer) => this.#question(peer))
    if (asked.length > 0) this.#lastAsked = clock.monotonic()
  }

  #mayAsk(peer: string): boolean {
    const now = this.#ports.clock.monotonic()
    const asked = [...this.#questions].filter((question) => question.peer === peer)
    return asked.length < QUESTIONS_A_PEER && asked.every(({ at }) => now - at >= ASK_BESIDE_MS)
  }

  /** A block is asked of one peer at a time: it is large, and three copies of it are two too many. */
  #question(peer: string): boolean {
    const { clock, request } = this.#ports
    const at = clock.monotonic()
    const wait = [...this.#questions].some((one) => one.forBlock && at - one.at < ASK_BESIDE_MS)
    const wanted = request(!wait)
    if (wanted === undefined) return false
    const forBlock = wanted.blockHash.byteLength > 0
    void this.#ask({ peer, at, forBlock, controller: new AbortController() }, wanted)
    return true
  }

  async #ask(question: Question, request: GetVotes): Promise<void> {
    const { peers, log, take, clock } = this.#ports
    const { peer, controller } = question
    let again = false
    this.#questions.add(question)
    const cancel = clock.after(ANSWER_TIMEOUT_MS, () => controller.abort())
    try {
      const answer = await peers.getVotes(peer, request, { signal: controller.signal })
      if (!controller.signal.aborted) again = await take(peer, request, answer)
    } catch (error) {
      const code = hasCode(error, 'RATE_LIMITED') ? error.code : undefined
      log.debug({ peer, code, reason: messageOf(error) }, 'a peer gave no votes')
    } finally {
      cancel()
      this.#questions.delete(question)
    }
    // Who was a height ahead may be more: up to its tip we go as fast as it answers.
    if (again) this.askPeer(peer)
  }
}
