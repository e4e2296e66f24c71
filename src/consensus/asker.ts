/**
 * Asks a few peers for what a height lacks (GetVotes, protocol §8), seldom enough for them to bear it. When there is a
 * reason to is the machine's to say (asking.ts).
 */
import { toHex } from '../codec/bytes.ts'
import type { GetVotes, RawVotes } from '../codec/generated/sync.ts'
import { hasCode, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { Asked, type Turn } from './asked.ts'
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
/** As many as it serves at once. A peer that was silent is asked again at most two seconds after it can answer. */
const QUESTIONS_A_PEER = 4

export interface AskerPorts {
  readonly peers: VotePeersPort
  readonly clock: Clock
  readonly log: Log
  /** What is missing now; undefined: nothing is asked. */
  readonly request: (turn: Turn) => GetVotes | undefined
  /** Resolves when the answer has been looked through: whether it brought us to another height. */
  readonly take: (peer: string, request: GetVotes, answer: RawVotes) => Promise<boolean>
}

interface Question {
  readonly peer: string
  readonly isValidator: boolean
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
  readonly #asked = new Asked()
  /** Who was asked since the last reason that has not been dealt with; undefined: there is none. */
  #askedSince: Set<string> | undefined
  /** The most urgent of the missing blocks when one was last asked for. */
  #triedBlock: string | undefined
  /** Whose turn it is to be asked for a block: of their questions one is kept for that. */
  #nextForBlock: readonly string[] = []
  #due = Number.POSITIVE_INFINITY
  #lastAsked = Number.NEGATIVE_INFINITY

  constructor(ports: AskerPorts) {
    this.#ports = ports
    this.#timers = new Timers(ports.clock)
  }

  /** Asks after `delayMs`, or when it was going to anyway if that is sooner; who is busy then, when it no longer is. */
  ask(delayMs = 0): void {
    this.#askedSince = new Set()
    this.#plan(delayMs)
  }

  /** Asks one peer now, such as one that has just come, unless it was asked just before. */
  askPeer(peer: string): void {
    if (this.#freeAt(peer) <= this.#ports.clock.monotonic()) this.#question(peer, this.#mayAskForBlock(peer))
  }

  /** Nothing is asked, and nothing that was asked is taken, until `ask` is called again. */
  stop(): void {
    this.#timers.clearAll()
    this.#due = Number.POSITIVE_INFINITY
    this.#nextForBlock = []
    this.#askedSince = undefined
    for (const { controller } of this.#questions) controller.abort()
    this.#questions.clear()
  }

  #plan(delayMs: number): void {
    const now = this.#ports.clock.monotonic()
    const due = Math.max(now + delayMs, now, this.#lastAsked + MIN_GAP_MS)
    if (due >= this.#due) return
    this.#due = due
    this.#timers.set('ask', due - now, () => this.#askSome())
  }

  #askSome(): void {
    const now = this.#ports.clock.monotonic()
    this.#due = Number.POSITIVE_INFINITY
    const wanted = this.#ports.request({ block: 0, polka: 0 })
    if (wanted === undefined) {
      this.#askedSince = undefined
      return
    }
    const all = this.#ports.peers.peers()
    const isValidator = (peer: string): boolean => this.#isValidator(peer)
    const lacksBlock = wanted.blockHash.byteLength > 0
    this.#nextForBlock = lacksBlock ? this.#inLineForBlock(all) : []
    const forBlock = lacksBlock ? this.#whomForBlock(all, toHex(wanted.blockHash)) : []
    const free = all.filter((peer) => forBlock.includes(peer) || this.#freeAt(peer) <= now)
    const validators = free.filter(isValidator)
    const others = free.filter((peer) => !isValidator(peer))
    const take = (turns: Turns, peers: readonly string[], count: number): string[] => {
      const taken = peers.filter((peer) => forBlock.includes(peer))
      const rest = peers.filter((peer) => !forBlock.includes(peer))
      return [...taken, ...turns.next(rest, count - taken.length)]
    }
    const first = take(this.#validators, validators, Math.max(VALIDATORS_ASKED, PEERS_ASKED - others.length))
    const chosen = [...first, ...take(this.#others, others, PEERS_ASKED - first.length)]
    const asked = chosen.filter((peer) => this.#question(peer, forBlock.includes(peer)))
    if (asked.length > 0) this.#lastAsked = now
    this.#planOwed()
    if (lacksBlock && forBlock.length === 0) this.#planForBlock()
  }

  /**
   * A reason is given once: nobody who has what is missing is passed over for being busy then. So two validators are asked, if
   * there are, however much time others have.
   */
  #planOwed(): void {
    const { peers, clock } = this.#ports
    const since = this.#askedSince
    if (since === undefined) return
    const all = peers.peers()
    const validators = all.filter((peer) => this.#isValidator(peer))
    const those = validators.length > 0 ? validators : all
    const owing = those.filter((peer) => !since.has(peer))
    if (owing.length === 0 || those.length - owing.length >= VALIDATORS_ASKED) {
      this.#askedSince = undefined
      return
    }
    const at = Math.min(...owing.map((peer) => this.#freeAt(peer)))
    // Else when a question ends.
    if (at < Number.POSITIVE_INFINITY) this.#plan(at - clock.monotonic())
  }

  /** When the question that a block waits for has had its time. */
  #planForBlock(): void {
    const now = this.#ports.clock.monotonic()
    const ends = [...this.#questions].filter(({ forBlock }) => forBlock).map(({ at }) => at + ASK_BESIDE_MS - now)
    const coming = ends.filter((ms) => ms > 0)
    if (coming.length > 0) this.#plan(Math.min(...coming))
  }

  #isValidator(peer: string): boolean {
    return (this.#ports.peers.standing(peer)?.validator ?? -1) >= 0
  }

  #openTo(peer: string): Question[] {
    return [...this.#questions].filter((question) => question.peer === peer)
  }

  /** From when on it may be asked, monotonic ms. */
  #freeAt(peer: string): number {
    const open = this.#openTo(peer)
    const most = this.#nextForBlock.includes(peer) ? QUESTIONS_A_PEER - 1 : QUESTIONS_A_PEER
    if (open.length >= most) return Number.POSITIVE_INFINITY
    return Math.max(Number.NEGATIVE_INFINITY, ...open.map(({ at }) => at + ASK_BESIDE_MS))
  }

  /** Of validators and of others the one that was asked for a block the longest time ago. */
  #inLineForBlock(peers: readonly string[]): string[] {
    const validators = peers.filter((peer) => this.#isValidator(peer))
    const others = peers.filter((peer) => !this.#isValidator(peer))
    return [...this.#asked.nextForBlock(validators), ...this.#asked.nextForBlock(others)]
  }

  /**
   * One validator, and if one was asked in vain one other beside it: what no validator has that we are connected to may be had
   * from others.
   */
  #whomForBlock(all: readonly string[], mostUrgent: string): string[] {
    const able = all.filter((peer) => this.#openTo(peer).length < QUESTIONS_A_PEER && this.#mayAskForBlock(peer))
    const inVain = this.#triedBlock === mostUrgent
    this.#triedBlock = mostUrgent
    const next = this.#inLineForBlock(able)
    return inVain ? next : next.slice(0, 1)
  }

  /**
   * A block is large, and three copies of it are two too many. Those who are no validators do not keep it from being asked of
   * one: there may be a new one every second that gives no answer.
   */
  #mayAskForBlock(peer: string): boolean {
    const now = this.#ports.clock.monotonic()
    const isValidator = this.#isValidator(peer)
    const recent = [...this.#questions].filter((one) => one.forBlock && now - one.at < ASK_BESIDE_MS)
    return !recent.some((one) => one.isValidator === isValidator)
  }

  #question(peer: string, mayBeForBlock: boolean): boolean {
    const { clock, peers, request } = this.#ports
    const wanted = request(this.#asked.turn(peer, mayBeForBlock))
    if (wanted === undefined) return false
    const isValidator = this.#isValidator(peer)
    const forBlock = wanted.blockHash.byteLength > 0
    this.#askedSince?.add(peer)
    this.#asked.keep(peers.peers())
    this.#asked.add(peer, forBlock)
    void this.#ask({ peer, isValidator, at: clock.monotonic(), forBlock, controller: new AbortController() }, wanted)
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
      this.#planOwed()
    }
    // Who was a height ahead may be more: up to its tip we go as fast as it answers. Another question to it may be open.
    if (again) this.#question(peer, this.#mayAskForBlock(peer))
  }
}
