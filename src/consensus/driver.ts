/**
 * Consensus of one node, height after height: a thin shell around the round machine. It starts heights, writes what is
 * decided, serves and asks for votes, and gets out of the way while range sync writes blocks. An observer is the same
 * without a signer.
 */
import type { CheckedBlock } from '../chain/check-block.ts'
import { buildCommit, decodeCommit, encodeCommit } from '../chain/commit.ts'
import type { Failure } from '../chain/failures.ts'
import { fromHex, toHex } from '../codec/bytes.ts'
import type { GetVotes, RawVotes } from '../codec/generated/sync.ts'
import { joinFinalized } from '../codec/raw.ts'
import { Emitter } from '../emitter.ts'
import { hasCode, MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { Asker } from './asker.ts'
import { noVotes, votesAnswer, votesRequest } from './catch-up.ts'
import { Early } from './early.ts'
import type { Evidence } from './evidence.ts'
import { type Decision, Height } from './height.ts'
import { Intake, type Judgement } from './intake.ts'
import { roundMs } from './pace.ts'
import {
  type Clock,
  type ConsensusTopic,
  type GossipPort,
  type LedgerPort,
  type MempoolPort,
  retryCrashed,
  systemClock,
  type VerifierPort,
  type VotePeersPort
} from './ports.ts'
import { Publication } from './publication.ts'
import { returnedEvents } from './rollback.ts'
import type { Signer } from './signer.ts'
import { describeStall, STALL_REPORT_MS, stallReport } from './stall.ts'
import { Timers } from './timers.ts'

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
  /** The signer takes no more; the node goes on as an observer. */
  'signer-broken': [Error]
}

/** Asking every full timeout is often enough for a round; but a height in its tenth round should not wait minutes. */
const MAX_ASK_INTERVAL_MS = 10_000

export class Driver extends Emitter<DriverEvents> {
  readonly #options: DriverOptions
  readonly #clock: Clock
  readonly #intake: Intake
  readonly #asker: Asker
  readonly #publication: Publication
  readonly #timers: Timers
  readonly #early = new Early()
  #unsubscribe: (() => void)[] = []
  #height: Height | undefined
  #running = false
  #signerBroken = false
  #halted: Error | undefined
  /** Monotonic ms of deciding the tip. */
  #began = 0
  /** Writes of decided blocks under way. */
  readonly #writing = new Set<Promise<unknown>>()

  constructor(options: DriverOptions) {
    super()
    this.#options = options
    const { ledger, verifier, peers, log } = options
    const clock = options.clock ?? systemClock
    this.#clock = clock
    this.#timers = new Timers(clock)
    this.#publication = new Publication(ledger.genesis, clock, (payload) => this.#publish('finalized', payload))
    this.#intake = new Intake({
      ledger,
      verifier,
      clock,
      early: this.#early,
      current: () => this.#current(),
      ask: (delayMs) => this.#asker.ask(delayMs),
      behind: (height, peer) => this.emit('behind', { height, peer }),
      published: (height, hash, commit) => this.#seenPublished(height, hash, commit),
      finalize: (block) => this.#apply(block)
    })
    this.#asker = new Asker({
      peers,
      clock,
      log,
      request: () => this.#request(),
      take: (peer, request, answer) => this.#takeAnswer(peer, request, answer)
    })
  }

  /** Begins at the height after the ledger's tip. */
  start(): void {
    const { gossip, ledger } = this.#options
    this.#unsubscribe = [
      ledger.on('finalized', ({ block }) => this.finalizedElsewhere(block)),
      ledger.on('conflict', ({ description }) => this.#halt(new MolochError('CONFLICTING_FINALITY', description))),
      gossip.subscribe('vote', async (payload) => this.#intake.vote(payload).verdict),
      gossip.subscribe('block', async (payload) => (await this.#intake.block(payload)).verdict),
      gossip.subscribe('finalized', async (payload, from) => (await this.#intake.finalized(payload, from)).verdict)
    ]
    this.resume()
  }

  /** Ends all timers and requests; resolves when no write is under way. The signer is its owner's to close. */
  async stop(): Promise<void> {
    this.pause()
    for (const remove of this.#unsubscribe) remove()
    this.#unsubscribe = []
    await Promise.allSettled(this.#writing)
  }

  /** For range sync: no votes and no rounds until `resume`. Votes and blocks are still served. */
  pause(): void {
    this.#running = false
    this.#height?.stop()
    this.#asker.stop()
    this.#publication.stop()
    this.#timers.clearAll()
  }

  /** Goes on at the height after the ledger's tip, or where the signer's log says that we were there. */
  resume(): void {
    if (this.#running || this.#halted !== undefined) return
    this.#running = true
    this.#began = this.#clock.monotonic()
    this.#begin()
    this.#asker.ask()
    this.#watchProgress('')
    this.#watchStall(this.#options.ledger.tip.height, this.#began)
  }

  get isPaused(): boolean {
    return !this.#running
  }

  /** Why nothing is decided any more. */
  get halted(): Error | undefined {
    return this.#halted
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
    if (this.#running) this.#asker.askPeer(peer)
  }

  /** Serves GetVotes. @see protocol §8, §9 */
  async readVotes(request: GetVotes): Promise<RawVotes> {
    const { ledger } = this.#options
    if (request.height <= ledger.tip.height) {
      const block = request.height === 0 ? undefined : await ledger.blockAt(request.height)
      if (block === undefined) return noVotes()
      return { ...noVotes(), finalized: joinFinalized(block.blockBytes, block.commitBytes) }
    }
    const height = this.#height
    if (height === undefined || request.height !== height.height) return noVotes()
    const { size } = ledger.genesis.validators
    return votesAnswer(height.machine.book, request, size, (hash) => height.blocks.get(hash))
  }

  /**
   * A block became final, by whatever way: its events leave the mempool, those of other pending blocks of its height
   * return to it, and the next height begins. The ledger's own events call it; calling it again changes nothing.
   */
  finalizedElsewhere(block: CheckedBlock): void {
    const { ledger, mempool, log } = this.#options
    mempool.remove(block.eventIds)
    const height = this.#height
    if (height === undefined || block.height < height.height) return
    if (block.height === height.height) this.#resolveFork(height, block)
    if (ledger.tip.height < height.height) return
    height.stop()
    if (!this.#running || block.height < ledger.tip.height) return
    log.debug({ height: block.height, hash: toHex(block.hash), events: block.header.eventCount }, 'finalized')
    this.#began = this.#clock.monotonic()
    this.#begin()
  }

  #resolveFork(height: Height, final: CheckedBlock): void {
    const { mempool, ledger, log } = this.#options
    const hash = toHex(final.hash)
    const others = height.blocks.valid().filter(([other]) => other !== hash)
    if (others.length === 0) return
    const events = returnedEvents(
      others.map(([, bytes]) => bytes),
      final.eventIds,
      ledger.genesis.params
    ).filter((event) => !ledger.hasRecentEvent(event.id))
    const returned = mempool.readd(events).length
    const pending = others.map(([other]) => other)
    log.info(
      { height: final.height, final: hash, pending, returned },
      'another block became final at the pending height: the pending one is dropped, its events wait again'
    )
  }

  #current(): Height | undefined {
    return this.#running && this.#height?.isOver === false ? this.#height : undefined
  }

  #begin(): void {
    const { ledger, mempool, verifier, log } = this.#options
    const number = ledger.tip.height + 1
    const early = this.#early.take(number)
    this.#early.expect(number + 1)
    const height = new Height(
      {
        ledger,
        verifier,
        mempool,
        clock: this.#clock,
        log,
        publish: (topic, payload) => this.#publish(topic, payload),
        ask: () => this.#asker.ask(),
        accuse: (evidence) => this.#accuse(evidence),
        decided: (decision) => this.#decided(decision),
        signerBroken: (error) => this.#dropSigner(error)
      },
      number,
      this.#began,
      this.#signerAt(number)
    )
    this.#height = height
    height.start()
    for (const { proposal, header, blockBytes } of early.proposals) {
      height.addProposal(proposal)
      void height.blocks.add(proposal.hash, header, blockBytes)
    }
    for (const vote of early.votes) height.addVote(vote)
  }

  #signerAt(height: number): Signer | undefined {
    const { signer, maySign, ledger, log } = this.#options
    if (signer === undefined || this.#signerBroken) return undefined
    if (ledger.genesis.validators.indexOf(signer.publicKey) < 0 || maySign?.() === false) return undefined
    if (signer.height <= height) return signer
    // The chain was put back, or is being synced anew: what was signed above it is not signed again.
    log.info(
      { height, signed: signer.height },
      'the signer has signed above this height: it waits until the chain is there'
    )
    return undefined
  }

  #decided(decision: Decision): void {
    const { ledger, verifier, log } = this.#options
    const commitBytes = encodeCommit(buildCommit(ledger.genesis, decision.precommits))
    const finalized = joinFinalized(decision.blockBytes, commitBytes)
    const write = async (): Promise<void> => {
      const [result] = await retryCrashed(() => verifier.check([finalized]))
      if (result === undefined) return
      const failure = result.ok ? await this.#apply(result.block) : result.failure
      if (failure !== undefined) throw new MolochError(failure.code, `the decided block is refused: ${failure.message}`)
      const { header, height } = decision
      const hash = fromHex(decision.hash, 32) as Uint8Array
      const proposer = ledger.genesis.validators.indexOf(header.proposer)
      if (this.#running) this.#publication.decided(this.#self(), { height, hash, proposer }, finalized)
    }
    this.#track(
      write().catch((error: unknown) => {
        if (!this.#running) log.debug({ reason: messageOf(error) }, 'a decided block was not written')
        else this.#halt(error instanceof Error ? error : new Error(messageOf(error)))
      })
    )
  }

  /** Own index, −1 for an observer. */
  #self(): number {
    const { signer, ledger } = this.#options
    return signer === undefined || this.#signerBroken ? -1 : ledger.genesis.validators.indexOf(signer.publicKey)
  }

  /** @returns what is wrong with its links; a block that conflicts with a final one halts the node */
  async #apply(block: CheckedBlock): Promise<Failure | undefined> {
    const { ledger, log } = this.#options
    // Checked before the driver was stopped, and found good after: the ledger may be closed by now.
    if (this.#unsubscribe.length === 0) return undefined
    try {
      const { failure } = await this.#track(ledger.apply([block]))
      if (failure === undefined) return undefined
      const { code, message } = failure.failure
      log.error({ height: block.height, hash: toHex(block.hash), code }, `a certified block does not fit: ${message}`)
      return failure.failure
    } catch (error) {
      if (!hasCode(error, 'CONFLICTING_FINALITY')) throw error
      // The ledger has told of it; forwarding the block tells others.
      return undefined
    }
  }

  async #track<T>(write: Promise<T>): Promise<T> {
    this.#writing.add(write)
    try {
      return await write
    } finally {
      this.#writing.delete(write)
    }
  }

  #halt(error: Error): void {
    if (this.#halted !== undefined) return
    this.#halted = error
    this.pause()
    this.#options.log.error({ reason: error.message }, 'consensus has stopped at this node')
    this.emit('halted', error)
  }

  #dropSigner(error: unknown): void {
    if (this.#signerBroken) return
    this.#signerBroken = true
    const reason = messageOf(error)
    this.#options.log.error({ reason }, 'this validator signs nothing more until it is restarted')
    this.emit('signer-broken', error instanceof Error ? error : new Error(reason))
  }

  #accuse(evidence: Evidence): void {
    const { ledger, log } = this.#options
    const { kind, height, round, validators, description, parts, slot } = evidence
    log.error({ kind, height, round }, description)
    this.emit('evidence', evidence)
    const record = { kind, height, seenAt: this.#clock.now(), validators, description, parts }
    ledger.saveEvidence(record, slot).catch((error: unknown) => {
      log.error({ kind, height, reason: messageOf(error) }, 'evidence could not be kept')
    })
  }

  #publish(topic: ConsensusTopic, payload: Uint8Array): void {
    this.#options.gossip.publish(topic, payload).catch((error: unknown) => {
      this.#options.log.debug({ topic, reason: messageOf(error) }, 'not published; peers will ask for it')
    })
  }

  #seenPublished(height: number, hash: Uint8Array, commitBytes: Uint8Array): void {
    try {
      this.#publication.seen(height, hash, decodeCommit(commitBytes))
    } catch {
      // Not even canonical: as good as not seen.
    }
  }

  #request(): GetVotes | undefined {
    const height = this.#current()
    if (height === undefined || height.machine.decided) return undefined
    const { machine } = height
    return votesRequest(machine.book, machine.height, machine.round, this.#options.ledger.genesis.validators.size)
  }

  async #takeAnswer(peer: string, request: GetVotes, answer: RawVotes): Promise<boolean> {
    const { peers, ledger } = this.#options
    const { height } = ledger.tip
    const { finalized, proposal, block, votes } = answer
    const parts: (() => Judgement | Promise<Judgement>)[] = votes.map((vote) => () => this.#intake.vote(vote))
    if (block.byteLength > 0) parts.unshift(() => this.#intake.blockAskedFor(request.blockHash, block))
    if (proposal.byteLength > 0) parts.unshift(() => this.#intake.proposal(proposal))
    if (finalized.byteLength > 0) parts.unshift(() => this.#intake.finalized(finalized, peer))
    for (const part of parts) {
      const { verdict, code } = await part()
      if (verdict !== 'reject') continue
      peers.penalise(peer, code ?? 'BAD_VOTES')
      return false
    }
    return ledger.tip.height > height
  }

  /** Asks for votes every full timeout in which nothing moved. */
  #watchProgress(before: string): void {
    const height = this.#height
    const { round, step } = height?.machine ?? { round: 0, step: '' }
    const now = `${height?.height}/${round}/${step}`
    if (now === before && height?.isWaiting === false) this.#asker.ask()
    const interval = Math.min(roundMs(this.#options.ledger.genesis.params, round), MAX_ASK_INTERVAL_MS)
    this.#timers.set('progress', interval, () => this.#watchProgress(now))
  }

  #watchStall(tip: number, since: number): void {
    this.#timers.set('stall', STALL_REPORT_MS, () => {
      const { ledger, log } = this.#options
      if (ledger.tip.height !== tip || this.#height === undefined) {
        this.#watchStall(ledger.tip.height, this.#clock.monotonic())
        return
      }
      if (!this.#height.isWaiting) {
        const report = stallReport(this.#height.machine, ledger.genesis.validators)
        log.warn({ ...report }, describeStall(report, Math.round((this.#clock.monotonic() - since) / 1000)))
      }
      this.#watchStall(tip, since)
    })
  }
}
