/**
 * Consensus of one node, height after height: a thin shell around the round machine. It starts heights, writes what is
 * decided, serves and asks for votes, and gets out of the way while range sync writes blocks. An observer is the same
 * without a signer.
 */
import type { CheckedBlock } from '../chain/check-block.ts'
import type { FinalContext } from '../chain/gossip-checks.ts'
import { fromHex, toHex } from '../codec/bytes.ts'
import type { GetVotes, RawVotes } from '../codec/generated/sync.ts'
import { Emitter } from '../emitter.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { quietLog } from '../quiet-log.ts'
import type { Abstention } from './abstention.ts'
import { Asker } from './asker.ts'
import { BlockBudget } from './block-budget.ts'
import { Early } from './early.ts'
import { type Evidence, keepEvidence } from './evidence.ts'
import { Finalizer } from './finalizer.ts'
import { HeaderIntake, type HeadersPort } from './header-intake.ts'
import { Height } from './height.ts'
import { Intake } from './intake.ts'
import { Outlook } from './outlook.ts'
import { standAfterMs } from './pace.ts'
import {
  type Clock,
  type ConsensusTopic,
  type GossipPort,
  type LedgerPort,
  type MempoolPort,
  type ProvenPeer,
  systemClock,
  type VerifierPort,
  type VotePeersPort
} from './ports.ts'
import { resolveFork } from './rollback.ts'
import { Seat } from './seat.ts'
import type { Signer } from './signer.ts'
import { type OutlookView, StallMonitor } from './stall-monitor.ts'
import { finalContext, followTopics } from './topics.ts'
import { VotesExchange } from './votes-exchange.ts'

export interface DriverOptions {
  readonly ledger: LedgerPort
  readonly verifier: VerifierPort
  readonly mempool: MempoolPort
  readonly gossip: GossipPort
  readonly peers: VotePeersPort
  readonly log: Log
  /** Without one the node observes. */
  readonly signer?: Signer | undefined
  /** Asked before each height: false while the node lacks blocks of the last two windows (protocol §3). */
  readonly maySign?: () => boolean
  readonly clock?: Clock
  /** Whose clocks are compared with ours, and who counts as connected. */
  readonly proven?: () => readonly ProvenPeer[]
}

/** The block above the finalized tip, as the API shows it. */
export interface PendingBlock {
  readonly height: number
  readonly hash: Uint8Array
  readonly round: number
  /** Precommits of the best single round. */
  readonly signatures: number
  readonly needed: number
}

interface DriverEvents {
  /** Gossip showed a certified block at this height, more than one above the tip: range sync is what helps. */
  behind: [{ readonly height: number; readonly peer: string }]
  evidence: [Evidence]
  /** This node decides nothing more: a conflicting certificate, or a ledger that takes no block. */
  halted: [Error]
  /** Nothing is signed until somebody did something; the node goes on as an observer. */
  'signer-stopped': [MolochError]
}

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
  readonly #early = new Early()
  readonly #budget: BlockBudget
  #unsubscribe: (() => void)[] = []
  #height: Height | undefined
  #running = false
  /** How often; what an earlier time began asynchronously is void. */
  #resumed = 0
  #halted: Error | undefined
  /** Monotonic ms of deciding the tip. */
  #began = 0

  constructor(options: DriverOptions) {
    super()
    this.#options = options
    const { ledger, verifier, peers, log } = options
    const clock = options.clock ?? systemClock
    this.#clock = clock
    this.#quiet = quietLog(log, clock)
    this.#budget = new BlockBudget(ledger.genesis.params)
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
    this.#checking = finalContext(ledger, verifier, (hash) => this.#current()?.blocks.checked(toHex(hash)))
    this.#intake = new Intake({
      ledger,
      clock,
      early: this.#early,
      current: () => this.#current(),
      ask: (delayMs) => this.#asker.ask(delayMs),
      behind: (height, peer) => this.emit('behind', { height, peer }),
      published: (height, hash) => this.#finalizer.seenPublished(height, hash),
      signed: (validator, signed) => this.#seat.saw(validator, signed),
      finalize: (block) => this.#finalizer.apply(block)
    })
    this.#headers = new HeaderIntake({
      chain: headersOf(ledger),
      behind: (height, peer) => this.emit('behind', { height, peer })
    })
    this.#exchange = new VotesExchange({
      ledger,
      intake: this.#intake,
      checking: this.#checking,
      height: () => this.#height,
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
      height: () => this.#height,
      isPaused: () => !this.#running || this.#height === undefined,
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
    this.#height?.stop()
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
      if (this.#height?.isOver !== false) {
        this.#began = this.#clock.monotonic()
        this.#begin()
      }
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
    const machine = this.#height?.machine
    return machine === undefined ? undefined : { height: machine.height, round: machine.round, step: machine.step }
  }

  /** The block proposed above the finalized tip, if one that is valid has been seen. */
  pending(): PendingBlock | undefined {
    const { ledger } = this.#options
    const view = this.#height?.machine.book.pending()
    if (view === undefined || this.#height?.height !== ledger.tip.height + 1) return undefined
    const hash = fromHex(view.hash, 32) as Uint8Array
    const needed = ledger.genesis.validators.quorum
    return { height: this.#height.height, hash, round: view.round, signatures: view.signatures, needed }
  }

  /** To be called when events came into the mempool: round 0 may be waiting for the first. */
  mempoolChanged(): void {
    this.#height?.mempoolChanged()
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
    const { ledger, mempool, log } = this.#options
    if (block.commit !== undefined) this.#seat.sawCommit(block.commit)
    mempool.remove(block.eventIds)
    const height = this.#height
    if (height === undefined || block.height < height.height) return
    if (block.height === height.height) {
      this.#budget.learn(block, height.elapsedMs)
      resolveFork(height, block, { ...this.#options, clock: this.#clock })
    }
    if (ledger.tip.height < height.height) return
    height.stop()
    if (!this.#running || block.height < ledger.tip.height) return
    log.debug({ height: block.height, hash: toHex(block.hash), events: block.header.eventCount }, 'finalized')
    this.#began = this.#clock.monotonic()
    this.#begin()
  }

  async #take(peer: string, request: GetVotes, answer: RawVotes): Promise<boolean> {
    const again = await this.#exchange.take(peer, request, answer)
    if (answer.finalized.byteLength === 0) this.#seat.answered(peer, request.height)
    return again
  }

  #current(): Height | undefined {
    return this.#running && this.#height?.isOver === false ? this.#height : undefined
  }

  #begin(): void {
    const { ledger, mempool, verifier } = this.#options
    const number = ledger.tip.height + 1
    const early = this.#early.take(number)
    this.#early.expect(number + 1)
    const height = new Height(
      {
        ledger,
        verifier,
        mempool,
        clock: this.#clock,
        log: this.#quiet,
        publish: (topic, payload) => this.#publish(topic, payload),
        allowance: (round) => this.#budget.at(round),
        timed: (proposal) => this.#outlook.proposals.heard(proposal, this.#clock.monotonic()),
        ask: (delayMs) => this.#asker.ask(delayMs),
        accuse: (evidence) => this.#accuse(evidence),
        decided: (decision) => this.#finalizer.decided(decision),
        signerBroken: (error) => this.#seat.drop(error)
      },
      number,
      this.#began,
      this.#seat.signerAt(number)
    )
    this.#height = height
    height.start()
    for (const { proposal, header, blockBytes } of early.proposals) {
      void height.addBlock(proposal.hash, header, blockBytes)
      height.addProposal(proposal)
    }
    for (const vote of early.votes) height.addVote(vote)
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

function headersOf(ledger: LedgerPort): HeadersPort {
  return {
    genesis: ledger.genesis,
    get tip() {
      return ledger.tip
    },
    get conflict() {
      return ledger.conflict
    },
    hashAt: async (height) => (await ledger.blockAt(height))?.hash,
    compareHeader: (header) => ledger.compareHeader(header)
  }
}
