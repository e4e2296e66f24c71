/**
 * Consensus of one node, height after height: a thin shell around the round machine. It starts heights, writes what is
 * decided, serves and asks for votes, and gets out of the way while range sync writes blocks. An observer is the same
 * without a signer.
 */
import type { CheckedBlock } from '../chain/check-block.ts'
import type { FinalContext } from '../chain/gossip-checks.ts'
import { toHex } from '../codec/bytes.ts'
import type { GetVotes, RawVotes } from '../codec/generated/sync.ts'
import { Emitter } from '../emitter.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { quietLog } from '../quiet-log.ts'
import type { Abstention } from './abstention.ts'
import { Asker } from './asker.ts'
import type { DriverEvents, DriverOptions } from './driver-options.ts'
import { type Evidence, keepEvidence } from './evidence.ts'
import { Finalizer } from './finalizer.ts'
import { HeaderIntake, headersPort } from './header-intake.ts'
import type { Height } from './height.ts'
import { Heights, type PendingBlock } from './heights.ts'
import { Intake } from './intake.ts'
import { Outlook } from './outlook.ts'
import { standAfterMs } from './pace.ts'
import { type Clock, type ConsensusTopic, systemClock } from './ports.ts'
import { Seat } from './seat.ts'
import { type OutlookView, StallMonitor } from './stall-monitor.ts'
import { finalContext, followTopics } from './topics.ts'
import { VotesExchange } from './votes-exchange.ts'

export class Driver extends Emitter<DriverEvents> {
  readonly #options: DriverOptions
  readonly #clock: Clock
  /** For what others can bring about. */
  readonly #quiet: Log
  readonly #checking: FinalContext
  readonly #intake: Intake
  readonly #headers: HeaderIntake
  readonly #asker: Asker
  readonly #exchange: VotesExchange
  readonly #finalizer: Finalizer
  readonly #outlook: Outlook
  readonly #monitor: StallMonitor
  readonly #seat: Seat
  readonly #heights: Heights
  #unsubscribe: (() => void)[] = []
  #running = false
  /** How often; what an earlier time began asynchronously is void. */
  #resumed = 0
  #halted: Error | undefined

  constructor(options: DriverOptions) {
    super()
    this.#options = options
    const { ledger, verifier, mempool, peers, log } = options
    const clock = options.clock ?? systemClock
    this.#clock = clock
    this.#quiet = quietLog(log, clock)
    this.#seat = new Seat({
      ledger,
      clock,
      log,
      signer: options.signer,
      maySign: options.maySign ?? (() => true),
      peers,
      ask: (peer) => this.#asker.askPeer(peer),
      changed: () => this.maySignNow(),
      stopped: (error) => this.emit('signer-stopped', error)
    })
    this.#finalizer = new Finalizer({
      ledger,
      verifier,
      clock,
      log,
      publish: ({ finalized, header }) => {
        this.#publish('finalized', finalized)
        this.#publish('header', header)
      },
      self: () => this.#seat.index,
      failed: (error) => this.#halt(error)
    })
    this.#heights = new Heights({
      ledger,
      verifier,
      mempool,
      clock,
      log,
      quiet: this.#quiet,
      signerAt: (height) => this.#seat.signerAt(height),
      publish: (topic, payload) => this.#publish(topic, payload),
      timed: (proposal) => this.#outlook.proposals.heard(proposal, clock.monotonic()),
      ask: (delayMs) => this.#asker.ask(delayMs),
      accuse: (evidence) => this.#accuse(evidence),
      decided: (decision) => this.#finalizer.decided(decision),
      signerBroken: (error) => this.#seat.drop(error)
    })
    this.#checking = finalContext(ledger, verifier, (hash) => this.#current()?.blocks.checked(toHex(hash)))
    this.#intake = new Intake({
      ledger,
      clock,
      early: this.#heights.early,
      current: () => this.#current(),
      ask: (delayMs) => this.#asker.ask(delayMs),
      behind: (height, peer) => this.emit('behind', { height, peer }),
      published: (height, hash) => this.#finalizer.seenPublished(height, hash),
      signed: (validator, signed) => this.#seat.saw(validator, signed),
      finalize: (block) => this.#finalizer.apply(block)
    })
    this.#headers = new HeaderIntake({
      chain: headersPort(ledger),
      behind: (height, peer) => this.emit('behind', { height, peer })
    })
    this.#exchange = new VotesExchange({
      ledger,
      intake: this.#intake,
      checking: this.#checking,
      height: () => this.#heights.latest,
      penalise: (peer, code) => peers.penalise(peer, code)
    })
    this.#asker = new Asker({
      peers,
      clock,
      log,
      request: (turn) => (this.#running ? this.#exchange.request(turn) : undefined),
      take: (peer, request, answer) => this.#take(peer, request, answer)
    })
    this.#outlook = new Outlook({
      ledger,
      clock,
      proven: options.proven ?? (() => []),
      seat: this.#seat,
      height: () => this.#heights.latest,
      isPaused: () => !this.#running || this.#heights.latest === undefined,
      halted: () => this.#halted
    })
    this.#monitor = new StallMonitor({
      afterMs: standAfterMs(ledger.genesis.params),
      clock,
      log,
      quiet: this.#quiet,
      look: () => this.#outlook.look()
    })
  }

  /** Begins at the height after the ledger's tip. */
  start(): void {
    const { gossip, ledger } = this.#options
    const readers = { intake: this.#intake, headers: this.#headers, checking: this.#checking }
    this.#unsubscribe = [
      ledger.on('finalized', ({ block }) => this.finalizedElsewhere(block)),
      ledger.on('conflict', ({ description }) => this.#halt(new MolochError('CONFLICTING_FINALITY', description))),
      ...followTopics(gossip, ledger, readers)
    ]
    this.#finalizer.open()
    const { conflict } = ledger
    if (conflict !== undefined) this.#halt(new MolochError('CONFLICTING_FINALITY', conflict.description))
    this.resume()
    this.#monitor.start()
  }

  /** Ends all timers and requests; resolves when no write is under way. The signer is its owner's to close. */
  async stop(): Promise<void> {
    this.#pause()
    this.#monitor.stop()
    this.#seat.stop()
    for (const remove of this.#unsubscribe) remove()
    this.#unsubscribe = []
    await this.#finalizer.close()
  }

  /** For range sync: no votes and no rounds until `resume`. Votes and blocks are still served. */
  pause(): void {
    this.#pause()
    this.#seat.fellBehind()
  }

  #pause(): void {
    this.#running = false
    this.#heights.stop()
    this.#asker.stop()
  }

  /** Goes on at the height after the ledger's tip, or where the signer's log says that we were there. */
  resume(): void {
    if (this.#running || this.#halted !== undefined) return
    this.#running = true
    const resumed = ++this.#resumed
    const begin = (): void => {
      if (!this.#running || resumed !== this.#resumed) return
      // A block that became final in the meantime may have begun one.
      if (this.#heights.latest?.isOver !== false) this.#heights.begin()
      this.#seat.begun()
      this.#asker.ask()
    }
    this.#seat
      .ready()
      .then(begin)
      .catch((error: unknown) => this.#halt(error instanceof Error ? error : new Error(messageOf(error))))
  }

  /**
   * To be called when `maySign` has become true: the others may have waited for this validator's vote all the time, so the
   * height begins again with it.
   */
  maySignNow(): void {
    if (!this.#running || this.#seat.index < 0) return
    this.#pause()
    this.resume()
  }

  get isPaused(): boolean {
    return !this.#running
  }

  /** Why nothing is decided any more. */
  get halted(): Error | undefined {
    return this.#halted
  }

  /** Why this validator signs nothing now; undefined: it signs, or is none. */
  get abstention(): Abstention | undefined {
    return this.#seat.abstention
  }

  /** What the chain waits for at this node, since when, and whether it stands; what is known of clocks. */
  outlook(): OutlookView {
    return this.#monitor.view()
  }

  /** Unix ms by the validators' clocks: this node's, but for what is known to be wrong with it. */
  validatorsNow(): number {
    return this.#monitor.validatorsNow()
  }

  /** Where consensus stands; undefined before `start`. */
  get position(): { height: number; round: number; step: string } | undefined {
    const machine = this.#heights.latest?.machine
    return machine === undefined ? undefined : { height: machine.height, round: machine.round, step: machine.step }
  }

  /** The block proposed above the finalized tip, if one that is valid has been seen. */
  pending(): PendingBlock | undefined {
    return this.#heights.pending()
  }

  /** To be called when events came into the mempool: round 0 may be waiting for the first. */
  mempoolChanged(): void {
    this.#heights.latest?.mempoolChanged()
  }

  /** To be called when a peer has passed Hello: it may hold what we lack. */
  peerReady(peer: string): void {
    this.#seat.met(peer)
    if (this.#running) this.#asker.askPeer(peer)
  }

  /** Serves GetVotes. @see protocol §8, §9 */
  readVotes(request: GetVotes): Promise<RawVotes> {
    return this.#exchange.read(request)
  }

  /**
   * A block became final, by whatever way: its events leave the mempool, those of other pending blocks of its height
   * return to it, and the next height begins. The ledger's own events call it; calling it again changes nothing.
   */
  finalizedElsewhere(block: CheckedBlock): void {
    const { mempool, log } = this.#options
    if (block.commit !== undefined) this.#seat.sawCommit(block.commit)
    mempool.remove(block.eventIds)
    if (!this.#heights.finalized(block) || !this.#running) return
    log.debug({ height: block.height, hash: toHex(block.hash), events: block.header.eventCount }, 'finalized')
    this.#heights.begin()
  }

  async #take(peer: string, request: GetVotes, answer: RawVotes): Promise<boolean> {
    const again = await this.#exchange.take(peer, request, answer)
    if (answer.finalized.byteLength === 0) this.#seat.answered(peer, request.height)
    return again
  }

  #current(): Height | undefined {
    const { latest } = this.#heights
    return this.#running && latest?.isOver === false ? latest : undefined
  }

  #halt(error: Error): void {
    if (this.#halted !== undefined) return
    this.#halted = error
    this.#pause()
    this.#finalizer.mute()
    this.#options.log.error({ reason: error.message }, 'consensus has stopped at this node')
    this.emit('halted', error)
  }

  #accuse(evidence: Evidence): void {
    this.emit('evidence', evidence)
    keepEvidence(evidence, this.#clock.now(), { ledger: this.#options.ledger, log: this.#quiet })
  }

  #publish(topic: ConsensusTopic, payload: Uint8Array): void {
    this.#options.gossip.publish(topic, payload).catch((error: unknown) => {
      this.#options.log.debug({ topic, reason: messageOf(error) }, 'not published; peers will ask for it')
    })
  }
}
