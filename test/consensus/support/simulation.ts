/**
 * Validators of one height over a network that loses, delays and repeats messages until it heals: the real machine,
 * signer and catch-up, in virtual time. A seed fixes everything.
 */

import { blockHash } from '../../../src/chain/domain.ts'
import { createGenesis, type Genesis } from '../../../src/chain/genesis.ts'
import { encodeHeader, genesisHeader } from '../../../src/chain/header.ts'
import { decodeProposal } from '../../../src/chain/proposal.ts'
import { decodeVote } from '../../../src/chain/vote.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import type { Proposal, Vote } from '../../../src/codec/generated/chain.ts'
import type { GetVotes, RawVotes } from '../../../src/codec/generated/sync.ts'
import { joinBlock, splitNewBlock } from '../../../src/codec/raw.ts'
import { proposalTime } from '../../../src/consensus/block-time.ts'
import { headerOfBlock } from '../../../src/consensus/held.ts'
import { type KeyPair, keyPairFromSeed } from '../../../src/crypto/ed25519.ts'
import { sha256 } from '../../../src/crypto/sha256.ts'
import type { Random } from '../../support/random.ts'
import { Byzantine } from './byzantine.ts'
import { Schedule } from './schedule.ts'
import { SimNode } from './sim-node.ts'

export const SIM_HEIGHT = 3
export const SIM_EPOCH = 1_700_000_000_000
/** Of the block before. */
export const SIM_PARENT_TIME = SIM_EPOCH - 1000

export type Message =
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'block'; readonly proposal: Proposal; readonly block: Uint8Array }
  | { readonly kind: 'finalized'; readonly hash: string }
  | { readonly kind: 'ask'; readonly request: GetVotes }
  | {
      readonly kind: 'answer'
      readonly request: GetVotes
      readonly answer: RawVotes
      readonly finalized: string | undefined
    }

export interface Participant {
  receive(message: Message, from: number): void
}

export interface SimulationSpec {
  readonly size: number
  readonly random: Random
  /** How many of the validators break the rules; at most f. */
  readonly faulty: number
  /** Of each validator's clock, ms; without it they differ by little. */
  readonly clockOffsets?: readonly number[]
}

export class Simulation {
  readonly schedule = new Schedule()
  readonly random: Random
  readonly size: number
  readonly genesis: Genesis
  readonly keys: readonly KeyPair[]
  /** From then on nothing is lost and nobody crashes. */
  readonly healsAt: number
  readonly honest: SimNode[] = []
  readonly #participants: Participant[] = []
  /** Of each kind of message: what it is lost with. */
  readonly #loss: Record<string, number>
  /** Whom nothing reaches, and who reaches nobody, from when to when. */
  readonly #cutOff: readonly { readonly index: number; readonly from: number; readonly to: number }[]
  readonly #slowest: number
  /** Every block that anybody made, and whether it is valid. */
  readonly blocks = new Map<string, { readonly bytes: Uint8Array; readonly valid: boolean }>()
  /** What went wrong at honest validators. */
  readonly failures: string[] = []
  /** What honest validators have let out, by slot. */
  readonly #signed = new Map<string, string>()

  constructor({ size, random, faulty, clockOffsets = [] }: SimulationSpec) {
    this.size = size
    this.random = random
    this.keys = Array.from({ length: size }, (_, i) => keyPairFromSeed(new Uint8Array(32).fill(i + 1)))
    this.genesis = createGenesis({
      chainId: 'sim',
      timestamp: SIM_EPOCH,
      validators: this.keys.map(({ publicKey }, i) => ({ name: `v${i}`, publicKey })),
      params: { timeoutProposeMs: 300, timeoutPrevoteMs: 150, timeoutPrecommitMs: 150, timeoutDeltaMs: 100 }
    })
    this.healsAt = random.below(12_000)
    // Locks matter where prevotes arrive and precommits don't, and where who decided can't tell.
    const loss = (): number => random.pick([0, 0, 0.1, 0.4, 0.9])
    this.#loss = { PREVOTE: loss(), PRECOMMIT: loss(), block: loss(), finalized: loss(), ask: loss(), answer: loss() }
    this.#cutOff = Array.from({ length: random.below(size) }, () => {
      const from = random.below(3000)
      return { index: random.below(size), from, to: from + random.below(6000) }
    })
    this.#slowest = random.pick([20, 200, 1500])
    const faultyFrom = random.below(size)
    for (let index = 0; index < size; index++) {
      if ((index - faultyFrom + size) % size < faulty) {
        this.#participants.push(
          new Byzantine(this, index, random.pick(['silent', 'equivocating', 'supporting', 'supporting']))
        )
      } else {
        const node = new SimNode(this, index, clockOffsets[index])
        this.honest.push(node)
        this.#participants.push(node)
      }
    }
  }

  get healed(): boolean {
    return this.schedule.now >= this.healsAt
  }

  /** Until all honest validators have decided, or `patience` ms after the network healed. */
  async run(patience: number): Promise<void> {
    for (const node of this.honest) await node.start()
    await this.schedule.run(() => this.honest.every((node) => node.decided !== undefined), this.healsAt + patience)
  }

  broadcast(from: number, message: Message): void {
    for (let to = 0; to < this.size; to++) if (to !== from) this.send(from, to, message)
  }

  send(from: number, to: number, message: Message): void {
    const { random } = this
    if (!this.healed && (this.#isCutOff(from) || this.#isCutOff(to) || random.float() < this.#lossOf(message))) return
    const copies = random.float() < 0.1 ? 2 : 1
    for (let i = 0; i < copies; i++) {
      const delay = 1 + random.below(this.healed ? 20 : this.#slowest)
      this.schedule.after(delay, () => this.#participants[to]?.receive(message, from))
    }
  }

  #lossOf(message: Message): number {
    return this.#loss[message.kind === 'vote' ? message.vote.type : message.kind] ?? 0
  }

  #isCutOff(index: number): boolean {
    const { now } = this.schedule
    return this.#cutOff.some((one) => one.index === index && now >= one.from && now < one.to)
  }

  /** A block as a proposer would make it now; all differ by their root. */
  makeBlock(proposer: number, now: number, valid = true): { hash: Uint8Array; bytes: Uint8Array } {
    const header = {
      ...genesisHeader(this.genesis),
      height: SIM_HEIGHT,
      timestamp: proposalTime(now, SIM_PARENT_TIME),
      mmrRoot: sha256(Uint8Array.of(this.blocks.size >> 8, this.blocks.size)),
      proposer: this.keys[proposer]!.publicKey
    }
    const bytes = joinBlock(encodeHeader(header), new Uint8Array(64), [])
    const hash = blockHash(this.genesis.hash, header)
    this.blocks.set(toHex(hash), { bytes, valid })
    return { hash, bytes }
  }

  /** Checks what an honest validator sends against all that it ever sent. */
  sent(index: number, topic: string, payload: Uint8Array): Message {
    if (topic === 'vote') {
      const vote = decodeVote(payload)
      this.#once(`${index}/${vote.type}/${vote.round}`, toHex(vote.blockHash))
      return { kind: 'vote', vote }
    }
    const { round, validRound, block, signature } = splitNewBlock(payload)
    const hash = blockHash(this.genesis.hash, headerOfBlock(block))
    this.#once(`${index}/PROPOSAL/${round}`, `${toHex(hash)}/${validRound}`)
    const fields = { height: SIM_HEIGHT, round, blockHash: hash, signature: new Uint8Array(signature) }
    return { kind: 'block', proposal: validRound === undefined ? fields : { ...fields, validRound }, block }
  }

  #once(slot: string, value: string): void {
    const before = this.#signed.get(slot)
    if (before !== undefined && before !== value) this.failures.push(`signed twice: ${slot} ${before} ${value}`)
    this.#signed.set(slot, value)
  }
}

export function proposalIn(answer: RawVotes): Proposal | undefined {
  return answer.proposal.byteLength === 0 ? undefined : decodeProposal(answer.proposal)
}
