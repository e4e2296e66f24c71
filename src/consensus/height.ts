/**
 * One height while it is not decided: the machine, the blocks it votes on, its timers and its way to the signer. A
 * shell that runs the machine's actions; when the height ends it is stopped and left behind, and whatever was under way
 * for it comes to nothing.
 */
import type { ProposedBlock } from '../chain/check-block.ts'
import type { Failure } from '../chain/failures.ts'
import { encodeProposal } from '../chain/proposal.ts'
import { fromHex, toHex } from '../codec/bytes.ts'
import type { Header, Vote } from '../codec/generated/chain.ts'
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { Allowance } from './block-budget.ts'
import type { TimedProposal } from './clocks.ts'
import { type Evidence, evidenceOf, invalidProposal } from './evidence.ts'
import { blockFacts, headerOfBlock, heldProposal, heldVote, restoredFrom } from './held.ts'
import { Machine } from './machine.ts'
import { askAgainMs, askDelayMs, paceMoment, timeoutMs } from './pace.ts'
import type { Clock, ConsensusTopic, LedgerPort, MempoolPort, VerifierPort } from './ports.ts'
import { ProposedBlocks } from './proposed-blocks.ts'
import { Proposer } from './proposer.ts'
import type { Signer } from './signer.ts'
import { Timers } from './timers.ts'
import type { Action, BlockFacts, HeldProposal, HeldVote, Input, Pledge } from './types.ts'
import { Voter } from './voter.ts'

export interface HeightPorts {
  readonly ledger: LedgerPort
  readonly verifier: VerifierPort
  readonly mempool: MempoolPort
  readonly clock: Clock
  readonly log: Log
  readonly publish: (topic: ConsensusTopic, payload: Uint8Array) => void
  /** What a fresh block of that round may hold. */
  readonly allowance: (round: number) => Allowance
  /** What a validator's proposal shows of its clock. */
  readonly timed: (proposal: TimedProposal) => void
  /** Something is lacking (`Machine.lack`): peers should be asked after so many ms. */
  readonly ask: (delayMs: number) => void
  readonly accuse: (evidence: Evidence) => void
  readonly decided: (decision: Decision) => void
  readonly signerBroken: (error: unknown) => void
}

export interface Decision {
  readonly height: number
  readonly round: number
  readonly hash: string
  readonly header: Header
  readonly blockBytes: Uint8Array
  /** The block as its check as a proposal left it, if it had one. */
  readonly checked: ProposedBlock | undefined
  /** q or more of one round. */
  readonly precommits: readonly Vote[]
}

export class Height {
  readonly height: number
  readonly machine: Machine
  readonly blocks: ProposedBlocks
  readonly #ports: HeightPorts
  readonly #signer: Signer | undefined
  readonly #voter: Voter | undefined
  readonly #proposer: Proposer
  readonly #timers: Timers
  /** t0 of the pace rule, monotonic ms. */
  readonly #began: number
  #eventsSince: number | undefined
  /** What round 0 does at its moment. */
  #paced: (() => void) | undefined
  #over = false
  /** When round 0 was due, and when the block was decided here, monotonic ms. */
  #due: number | undefined
  #decidedAt: number | undefined

  /** @param signer only if it may sign at this height */
  constructor(ports: HeightPorts, height: number, began: number, signer: Signer | undefined) {
    const { ledger, clock, log } = ports
    const { validators } = ledger.genesis
    this.height = height
    this.#ports = ports
    this.#signer = signer
    this.#began = began
    this.#timers = new Timers(clock)
    this.#proposer = new Proposer(ports)
    this.machine = new Machine({
      height,
      validators,
      proposer: (round) => validators.proposer(height, round),
      self: signer === undefined ? -1 : validators.indexOf(signer.publicKey),
      parentTimestamp: ledger.tip.header.timestamp
    })
    const isOver = (): boolean => this.#over
    this.blocks = new ProposedBlocks({
      ledger,
      verifier: ports.verifier,
      log,
      isOver,
      validated: (hash, header, failure) => this.#validated(hash, header, failure?.code),
      lost: (hash) => this.#feed({ type: 'block-lost', hash })
    })
    this.#voter =
      signer === undefined
        ? undefined
        : new Voter({
            signer,
            height,
            log,
            isOver,
            blockOf: (hash) => this.blocks.get(hash),
            publish: ports.publish,
            voted: (vote) => this.addVote(heldVote(validators, vote)),
            proposed: (proposal) => this.addProposal(heldProposal(proposal)),
            proposalFailed: (round) => this.#feed({ type: 'proposal-failed', round }),
            broken: ports.signerBroken
          })
  }

  get isOver(): boolean {
    return this.#over
  }

  /** From the moment of round 0 to the decision, in ms; undefined unless it was decided here. */
  get elapsedMs(): number | undefined {
    return this.#due === undefined || this.#decidedAt === undefined ? undefined : this.#decidedAt - this.#due
  }

  /** Round 0 before its moment: nothing is late yet. */
  get isWaiting(): boolean {
    return this.#paced !== undefined && this.machine.step === 'propose'
  }

  /** Whether the bytes of a block are held. */
  holds(hash: string): boolean {
    return this.blocks.has(hash)
  }

  /** Begins, or resumes where the signer's log says that we were. */
  start(): void {
    const { clock, ledger } = this.#ports
    if (this.#proposer.hasEvents()) this.#eventsSince = clock.monotonic()
    const memory = this.#signer?.restore(this.height)
    const restored = memory === undefined ? undefined : restoredFrom(ledger.genesis, memory)
    for (const [hash, bytes] of memory?.blocks ?? []) this.blocks.addValid(hash, bytes)
    this.#run(this.machine.start(clock.now(), restored))
    if (memory !== undefined) this.#voter?.offerAgain(memory.votes, memory.proposals)
  }

  stop(): void {
    this.#over = true
    this.#paced = undefined
    this.#timers.clearAll()
    this.blocks.stop()
  }

  addVote(vote: HeldVote): void {
    this.#feed({ type: 'vote', vote })
  }

  /**
   * Takes a block whose header has that hash, to be followed by its proposal: told of that alone, the machine would have
   * the block fetched.
   * @returns what is wrong with it; undefined also when that could not be found out
   */
  addBlock(hash: string, header: Header, bytes: Uint8Array): Promise<Failure | undefined> {
    const verdict = this.blocks.add(hash, header, bytes)
    this.#feed({ type: 'block-held', hash })
    return verdict
  }

  addProposal(proposal: HeldProposal): void {
    this.#feed({ type: 'proposal', proposal })
  }

  /** The first event after none may be what round 0 waits for. */
  mempoolChanged(): void {
    if (this.#eventsSince !== undefined || this.#paced === undefined || !this.#proposer.hasEvents()) return
    this.#eventsSince = this.#ports.clock.monotonic()
    this.#waitForPace(this.#paced)
  }

  #feed(input: Input): void {
    if (this.#over) return
    this.#run(this.machine.handle(input, this.#ports.clock.now()))
  }

  #run(actions: readonly Action[]): void {
    for (const action of actions) this.#do(action)
  }

  #do(action: Action): void {
    const { log, ledger, ask } = this.#ports
    const { height } = this
    switch (action.type) {
      case 'round':
        this.#paced = undefined
        this.#timers.clearAll()
        log.debug({ height, round: action.round }, 'round')
        return
      case 'schedule':
        if (action.kind === 'propose' && action.round === 0) this.#waitForPace(() => this.#arm(action))
        else this.#arm(action)
        return
      case 'propose':
        if (action.round === 0) this.#waitForPace(() => this.#propose(action))
        else this.#propose(action)
        return
      case 'sign':
        this.#voter?.vote(action)
        return
      case 'set-valid':
        this.#voter?.keepValid(action.keep)
        return
      case 'ask':
        ask(askDelayMs(action.why))
        return
      case 'ask-after':
        this.#askAfter(action)
        return
      case 'forget':
        this.blocks.forget(action.hash)
        return
      case 'decide':
        this.#decide(action)
        return
      case 'evidence':
        this.#ports.accuse(evidenceOf(action.accusation, height, ledger.genesis.validators))
        return
      case 'timed':
        this.#ports.timed(action)
        return
      case 'contradiction':
        log.error(
          { height, round: action.round, hash: action.hash },
          'a quorum voted for a block that this node finds invalid; it does not follow'
        )
    }
  }

  #arm({ kind, round }: { kind: 'propose' | 'prevote' | 'precommit'; round: number }): void {
    const ms = timeoutMs(this.#ports.ledger.genesis.params, kind, round)
    this.#timers.set(kind, ms, () => this.#feed({ type: 'timeout', kind, round }))
  }

  #askAfter({ round, step, asked }: Extract<Action, { type: 'ask-after' }>): void {
    const { clock, ledger } = this.#ports
    // Round 0 waits for its moment before anything can be late.
    const wait = this.isWaiting ? Math.max(0, this.#paceMoment() - clock.monotonic()) : 0
    const ms = wait + askAgainMs(ledger.genesis.params, step, round, asked)
    this.#timers.set('ask', ms, () => this.#feed({ type: 'ask-due' }))
  }

  #paceMoment(): number {
    return paceMoment(this.#ports.ledger.genesis.params, this.#began, this.#eventsSince)
  }

  #waitForPace(run: () => void): void {
    const { clock } = this.#ports
    this.#paced = run
    this.#timers.set('pace', Math.max(0, this.#paceMoment() - clock.monotonic()), () => {
      this.#paced = undefined
      this.#due = clock.monotonic()
      run()
    })
  }

  #propose(action: Extract<Action, { type: 'propose' }>): void {
    const { round, valid } = action
    if (this.#signer === undefined || this.machine.round !== round || this.machine.step !== 'propose') return
    try {
      const { hash, block } = valid === undefined ? this.#newBlock(this.#signer, round) : this.#validBlock(valid)
      this.#voter?.propose(action, hash, block)
    } catch (error) {
      this.#ports.log.error({ height: this.height, round, reason: messageOf(error) }, 'no block could be proposed')
      // Not now: the actions of the input that led here come first.
      queueMicrotask(() => this.#feed({ type: 'proposal-failed', round }))
    }
  }

  #validBlock(valid: Pledge): { hash: Uint8Array; block: Uint8Array } {
    const block = this.blocks.get(valid.hash)
    if (block === undefined) throw new Error(`the valid block ${valid.hash} is not held`)
    return { hash: fromHex(valid.hash, 32) as Uint8Array, block }
  }

  #newBlock(signer: Signer, round: number): { hash: Uint8Array; block: Uint8Array } {
    const { hash, header, blockBytes } = this.#proposer.build(signer.sealingKey, this.#ports.allowance(round))
    this.blocks.addValid(toHex(hash), blockBytes)
    this.#feedBlock(blockFacts(this.#ports.ledger.genesis, toHex(hash), header, true))
    return { hash, block: blockBytes }
  }

  #validated(hash: string, header: Header, code: string | undefined): void {
    if (code !== undefined) this.#accuse(hash, code)
    this.#feedBlock(blockFacts(this.#ports.ledger.genesis, hash, header, code === undefined))
  }

  #feedBlock(block: BlockFacts): void {
    // Not within the machine's own call: building a block is an action of it.
    queueMicrotask(() => this.#feed({ type: 'block', block }))
  }

  #accuse(hash: string, code: string): void {
    const { ledger, accuse } = this.#ports
    const { validators } = ledger.genesis
    const proposal = this.machine.book.proposals.all().find((one) => one.hash === hash)
    const block = this.blocks.get(hash)
    if (proposal === undefined || block === undefined) return
    const { height } = this
    const { round } = proposal
    const found = invalidProposal({
      height,
      round,
      proposer: validators.proposer(height, round),
      validators,
      proposal: encodeProposal(proposal.proposal),
      block,
      hash: fromHex(hash, 32) as Uint8Array,
      code
    })
    accuse(found)
  }

  #decide(action: Extract<Action, { type: 'decide' }>): void {
    const { hash, round, precommits } = action
    const blockBytes = this.blocks.get(hash)
    if (blockBytes === undefined) throw new Error(`block ${hash} is decided and not held`)
    this.#decidedAt = this.#ports.clock.monotonic()
    this.#timers.clearAll()
    this.#paced = undefined
    const header = headerOfBlock(blockBytes)
    const checked = this.blocks.checked(hash)
    this.#ports.decided({ height: this.height, round, hash, header, blockBytes, checked, precommits })
  }
}
