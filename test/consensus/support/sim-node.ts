/** An honest validator of a simulation: machine, voter and signer are the real ones, the disk is an array. */

import { decodeVote } from '../../../src/chain/vote.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import { votesAnswer, votesRequest } from '../../../src/consensus/catch-up.ts'
import { blockFacts, headerOfBlock, heldProposal, heldVote, restoredFrom } from '../../../src/consensus/held.ts'
import { Machine } from '../../../src/consensus/machine.ts'
import { timeoutMs } from '../../../src/consensus/pace.ts'
import { Signer } from '../../../src/consensus/signer.ts'
import { freshMark, type Mark, type MarkState, type MarkStore } from '../../../src/consensus/signer-mark.ts'
import type { SignerStore, SignerWrite } from '../../../src/consensus/signer-store.ts'
import type { Action, Input } from '../../../src/consensus/types.ts'
import { Voter } from '../../../src/consensus/voter.ts'
import { silentLog } from '../../../src/log.ts'
import { MemoryMark } from './marks.ts'
import {
  type Message,
  type Participant,
  proposalIn,
  SIM_EPOCH,
  SIM_HEIGHT,
  SIM_PARENT_TIME,
  type Simulation
} from './simulation.ts'

/** Validators that nothing happens to ask this often. */
const ASK_EVERY_MS = 1000

export class SimNode implements Participant {
  readonly index: number
  /** The hash, once decided. It is on disk at once: writing it is the ledger's matter. */
  decided: string | undefined
  crashes = 0
  readonly #sim: Simulation
  readonly #skew: number
  readonly #disk = new Map<string, Uint8Array>()
  readonly #mark: MemoryMark
  /** One life, from a start to a crash. */
  #life: Life | undefined

  /** @param offset of its clock, ms */
  constructor(sim: Simulation, index: number, offset = 0) {
    this.#sim = sim
    this.index = index
    this.#mark = new MemoryMark(freshMark(sim.keys[index]!.publicKey, sim.genesis.hash))
    this.#skew = offset + sim.random.below(600) - 300
  }

  get round(): number {
    return this.#life?.machine.round ?? -1
  }

  async start(): Promise<void> {
    const store = new SimStore(this.#sim, this.#disk)
    const { genesis, keys } = this.#sim
    const mark = new SimMark(this.#sim, this.#mark, store)
    const options = { path: 'disk', markPath: 'mark', key: keys[this.index]!, genesisHash: genesis.hash }
    const signer = await Signer.over(store, mark, options)
    mark.takesTime = true
    // At whatever moment it died: its own crash is no reason for doubt.
    const doubt = signer.doubt ?? signer.settledDoubt
    if (doubt !== undefined) this.#sim.failures.push(`v${this.index}: ${doubt.message}`)
    this.#life = new Life(this.#sim, this, signer, store, () => SIM_EPOCH + this.#sim.schedule.now + this.#skew)
    this.#life.start()
    if (!this.#sim.healed && this.#sim.random.float() < 0.5) {
      this.#sim.schedule.after(this.#sim.random.below(6000), () => this.#crash())
    }
  }

  receive(message: Message, from: number): void {
    this.#life?.receive(message, from)
  }

  #crash(): void {
    if (this.#sim.healed) return
    this.crashes++
    this.#life?.end()
    this.#life = undefined
    this.#sim.schedule.after(this.#sim.random.below(2000), () => void this.start())
  }
}

/** A mark that a crash may come before. */
class SimMark implements MarkStore {
  takesTime = false
  readonly #sim: Simulation
  readonly #mark: MemoryMark
  readonly #store: SimStore

  constructor(sim: Simulation, mark: MemoryMark, store: SimStore) {
    this.#sim = sim
    this.#mark = mark
    this.#store = store
  }

  read(): Promise<MarkState> {
    return this.#mark.read()
  }

  write(mark: Mark): Promise<void> {
    return new Promise((resolve) => {
      const apply = (): void => {
        if (this.#store.isDead) return
        this.#mark.mark = mark
        resolve()
      }
      if (this.takesTime) this.#sim.schedule.after(this.#sim.random.below(10), apply)
      else apply()
    })
  }

  async close(): Promise<void> {}
}

/** Takes its time for a write; after a crash one that was under way is there or is not. */
class SimStore implements SignerStore {
  readonly #sim: Simulation
  readonly #disk: Map<string, Uint8Array>
  #dead = false
  #waiting: (() => void) | undefined

  constructor(sim: Simulation, disk: Map<string, Uint8Array>) {
    this.#sim = sim
    this.#disk = disk
  }

  async entries(): Promise<[string, Uint8Array][]> {
    return [...this.#disk]
  }

  write(writes: readonly SignerWrite[]): Promise<void> {
    return new Promise((resolve) => {
      const apply = (): void => {
        this.#waiting = undefined
        for (const write of writes) {
          if (write.type === 'del') this.#disk.delete(write.key)
          else this.#disk.set(write.key, write.value)
        }
      }
      this.#waiting = apply
      const done = (): void => {
        if (this.#dead) return
        apply()
        resolve()
      }
      if (writes.some(({ key }) => key === 'format')) done()
      else this.#sim.schedule.after(this.#sim.random.below(30), done)
    })
  }

  async close(): Promise<void> {}

  get isDead(): boolean {
    return this.#dead
  }

  kill(): void {
    this.#dead = true
    if (this.#sim.random.float() < 0.5) this.#waiting?.()
  }
}

class Life {
  readonly machine: Machine
  readonly #sim: Simulation
  readonly #node: SimNode
  readonly #signer: Signer
  readonly #store: SimStore
  readonly #now: () => number
  readonly #voter: Voter
  readonly #blocks = new Map<string, Uint8Array>()
  #over = false

  constructor(sim: Simulation, node: SimNode, signer: Signer, store: SimStore, now: () => number) {
    this.#sim = sim
    this.#node = node
    this.#signer = signer
    this.#store = store
    this.#now = now
    const { validators } = sim.genesis
    const proposer = (round: number): number => validators.proposer(SIM_HEIGHT, round)
    const parentTimestamp = SIM_PARENT_TIME
    this.machine = new Machine({ height: SIM_HEIGHT, validators, proposer, self: node.index, parentTimestamp })
    this.#voter = new Voter({
      signer,
      height: SIM_HEIGHT,
      log: { ...silentLog, error: (_, message) => this.#fail(message) },
      isOver: () => this.#over,
      blockOf: (hash) => this.#blocks.get(hash),
      publish: (topic, payload) => this.#publish(topic, payload),
      voted: (vote) => this.#feed({ type: 'vote', vote: heldVote(validators, vote) }),
      proposed: (proposal) => this.#feed({ type: 'proposal', proposal: heldProposal(proposal) }),
      proposalFailed: (round) => this.#feed({ type: 'proposal-failed', round }),
      broken: (error) => this.#fail(String(error))
    })
  }

  start(): void {
    const memory = this.#signer.restore(SIM_HEIGHT)
    for (const [hash, bytes] of memory?.blocks ?? []) this.#blocks.set(hash, bytes)
    const restored = memory === undefined ? undefined : restoredFrom(this.#sim.genesis, memory)
    this.#run(this.machine.start(this.#now(), restored))
    if (memory !== undefined) this.#voter.offerAgain(memory.votes, memory.proposals)
    this.#ask()
    this.#askAgain()
  }

  end(): void {
    this.#over = true
    this.#store.kill()
  }

  receive(message: Message, from: number): void {
    if (this.#over) return
    const { genesis } = this.#sim
    switch (message.kind) {
      case 'vote':
        this.#feed({ type: 'vote', vote: heldVote(genesis.validators, message.vote) })
        return
      case 'block':
        this.#feed({ type: 'proposal', proposal: heldProposal(message.proposal) })
        this.#takeBlock(toHex(message.proposal.blockHash), message.block)
        return
      case 'finalized':
        this.#decide(message.hash)
        return
      case 'ask':
        this.#answer(message.request, from)
        return
      case 'answer':
        if (message.finalized !== undefined) this.#decide(message.finalized)
        this.#takeAnswer(message.request, message.answer)
    }
  }

  #takeAnswer(request: GetVotesLike, answer: Parameters<typeof proposalIn>[0]): void {
    const proposal = proposalIn(answer)
    if (proposal !== undefined) this.#feed({ type: 'proposal', proposal: heldProposal(proposal) })
    if (answer.block.byteLength > 0) this.#takeBlock(toHex(request.blockHash), answer.block)
    for (const bytes of answer.votes) {
      this.#feed({ type: 'vote', vote: heldVote(this.#sim.genesis.validators, decodeVote(bytes)) })
    }
  }

  #answer(request: Extract<Message, { kind: 'ask' }>['request'], to: number): void {
    const { size } = this.#sim
    const answer = votesAnswer(this.machine.book, request, size, (hash) => this.#blocks.get(hash))
    this.#sim.send(this.#node.index, to, { kind: 'answer', request, answer, finalized: this.#node.decided })
  }

  #takeBlock(hash: string, bytes: Uint8Array): void {
    if (this.#blocks.has(hash)) return
    this.#blocks.set(hash, bytes)
    this.#sim.schedule.after(this.#sim.random.below(20), () => this.#validated(hash, bytes))
  }

  #validated(hash: string, bytes: Uint8Array): void {
    const valid = this.#sim.blocks.get(hash)?.valid === true
    this.#feed({ type: 'block', block: blockFacts(this.#sim.genesis, hash, headerOfBlock(bytes), valid) })
  }

  #feed(input: Input): void {
    if (!this.#over) this.#run(this.machine.handle(input, this.#now()))
  }

  #run(actions: readonly Action[]): void {
    for (const action of actions) this.#do(action)
  }

  #do(action: Action): void {
    const { schedule, genesis } = this.#sim
    switch (action.type) {
      case 'schedule': {
        const { kind, round } = action
        schedule.after(timeoutMs(genesis.params, kind, round), () => this.#feed({ type: 'timeout', kind, round }))
        return
      }
      case 'propose':
        this.#propose(action)
        return
      case 'sign':
        this.#voter.vote(action)
        return
      case 'set-valid':
        this.#voter.keepValid(action.keep)
        return
      case 'fetch':
        if (!this.#blocks.has(action.hash)) this.#ask()
        return
      case 'request-votes':
        this.#ask()
        return
      case 'forget':
        this.#blocks.delete(action.hash)
        return
      case 'decide':
        this.#decide(action.hash)
        this.#sim.broadcast(this.#node.index, { kind: 'finalized', hash: action.hash })
        return
      case 'contradiction':
        this.#fail(`a quorum for the invalid block ${action.hash}`)
    }
  }

  #propose(action: Extract<Action, { type: 'propose' }>): void {
    const { valid } = action
    if (valid !== undefined) {
      const block = this.#blocks.get(valid.hash)
      if (block === undefined) this.#fail('the valid block is not held')
      else this.#voter.propose(action, Buffer.from(valid.hash, 'hex'), block)
      return
    }
    const { hash, bytes } = this.#sim.makeBlock(this.#node.index, this.#now())
    this.#blocks.set(toHex(hash), bytes)
    this.#sim.schedule.after(0, () => this.#validated(toHex(hash), bytes))
    this.#voter.propose(action, hash, bytes)
  }

  #decide(hash: string): void {
    this.#node.decided ??= hash
    if (this.#node.decided !== hash) this.#fail(`decided ${this.#node.decided} and ${hash}`)
  }

  #ask(): void {
    const { random, size } = this.#sim
    const request = votesRequest(this.machine.book, SIM_HEIGHT, this.machine.round, size)
    for (let i = 0; i < 2; i++) {
      const peer = random.below(size)
      if (peer !== this.#node.index) this.#sim.send(this.#node.index, peer, { kind: 'ask', request })
    }
  }

  #askAgain(): void {
    this.#sim.schedule.after(ASK_EVERY_MS, () => {
      if (this.#over) return
      this.#ask()
      this.#askAgain()
    })
  }

  #publish(topic: string, payload: Uint8Array): void {
    this.#sim.broadcast(this.#node.index, this.#sim.sent(this.#node.index, topic, payload))
  }

  /** Thrown from within a promise of the signer it would be lost. */
  #fail(message: string): void {
    this.#sim.failures.push(`v${this.#node.index}: ${message}`)
  }
}

interface GetVotesLike {
  readonly blockHash: Uint8Array
}
